import { bool, string } from '../schema/field.ts'
import { message } from '../schema/message.ts'

/** The principal of a client inside an Envelope (KIP-590), behind its version as an int16. */
export const DefaultPrincipalData = message({
  name: 'DefaultPrincipalData',
  versions: [0, 0],
  flexible: 0,
  fields: { type: string, name: string, tokenAuthenticated: bool },
})
