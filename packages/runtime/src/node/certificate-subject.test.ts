import { test } from 'node:test'
import assert from 'node:assert/strict'
import { rfc2253 } from './certificate-subject.ts'

test('subjects are written as Java writes them', () => {
  assert.equal(rfc2253('CN=a'), 'CN=a')
  assert.equal(rfc2253('C=DE\nO=Example\\, Inc.\nOU=x + CN=orders'), 'OU=x+CN=orders,O=Example\\, Inc.,C=DE')
  assert.equal(rfc2253('CN=a\nemailAddress=a@b.c'), '1.2.840.113549.1.9.1=#16056140622e63,CN=a')
})
