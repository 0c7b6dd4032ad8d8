#!/usr/bin/env node
// The installed command. Plain old JavaScript, so that an old Node can read it and say what is wrong.
const wanted = [22, 18]
const found = process.versions.node.split('.').map(Number)
if (found[0] < wanted[0] || (found[0] === wanted[0] && found[1] < wanted[1])) {
  console.error(
    'millrace needs Node.js ' +
      wanted.join('.') +
      ' or newer; this is ' +
      process.version +
      ' (' +
      process.execPath +
      ')',
  )
  process.exit(1)
}
import('../dist/command.js').catch(function (error) {
  console.error(error)
  process.exit(1)
})
