import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tryLockFile } from './lock-file.ts'
import { readBootId, readStartTime } from './process-identity.ts'

function inDirectory(name: string, run: (path: string, directory: string) => void): void {
  test(name, () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
    try {
      run(join(directory, '.lock'), directory)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
}

const me = { pid: process.pid, startTime: readStartTime(process.pid), bootId: readBootId(), token: 'x' }

inDirectory('the lock of a living process holds, though that process knows nothing of ours', (path) => {
  const parent = process.ppid
  writeFileSync(path, JSON.stringify({ ...me, pid: parent, startTime: readStartTime(parent) }))
  assert.equal(tryLockFile(path), null)
})

inDirectory('the lock of a dead process is taken over', (path, directory) => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  writeFileSync(path, JSON.stringify({ ...me, pid }))
  const lock = tryLockFile(path)
  assert.ok(lock !== null)
  assert.equal((JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid, process.pid)
  assert.deepEqual(readdirSync(directory), ['.lock'], 'nothing else is left behind')
  lock[Symbol.dispose]()
})

inDirectory('a lock whose process id now belongs to another process is taken over', (path) => {
  if (me.startTime === null) return
  writeFileSync(path, JSON.stringify({ ...me, startTime: '1' }))
  assert.ok(tryLockFile(path) !== null)
})

inDirectory('a lock from before a reboot is taken over', (path) => {
  writeFileSync(path, JSON.stringify({ ...me, bootId: 'an earlier one' }))
  assert.ok(tryLockFile(path) !== null)
})

for (const content of ['', 'null', '{"pid":"1"}', '\0\0\0\0']) {
  inDirectory(`a lock file holding ${JSON.stringify(content)} has no owner`, (path) => {
    writeFileSync(path, content)
    assert.ok(tryLockFile(path) !== null)
  })
}

inDirectory('a directory that is not there is an error', (path) => {
  assert.throws(() => tryLockFile(`${path}/absent/.lock`), { code: 'ENOENT' })
})
