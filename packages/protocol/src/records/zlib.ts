/** `node:zlib`, loaded at its first use: 3-9 ms that a start without compression does not spend. */

export function zlib(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib')
}
