/** Why a broker did not start, in one line for each thing to mend; a stack only for what nobody foresaw. */
import { inspect } from 'node:util'
import { ConfigError } from '@millrace/broker'
import { DataDirectoryError } from './open-broker.ts'

export function explainFailure(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems
  if (error instanceof DataDirectoryError || isForeignDirectory(error)) return [(error as Error).message]
  const { code, syscall, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  if (code === 'EADDRINUSE')
    return [
      `${where(address, port)} is in use by another program; listen elsewhere with --override listeners=PLAINTEXT://localhost:PORT`,
    ]
  if (syscall === 'listen' || syscall === 'bind')
    return [`cannot listen on ${where(address, port)}: ${(error as Error).message}`]
  if (typeof code === 'string' && diskErrors.includes(code)) return [`cannot start: ${(error as Error).message}`]
  return [`cannot start: ${inspect(error)}`]
}

const diskErrors: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EIO', 'EMFILE', 'ENOTDIR', 'EDQUOT']

/** The directory holds the data of another cluster or node. */
function isForeignDirectory(error: unknown): boolean {
  return error instanceof Error && error.name === 'ForeignDirectoryError'
}

function where(address: string | undefined, port: number | undefined): string {
  return address === undefined ? `port ${port}` : `${address.includes(':') ? `[${address}]` : address}:${port}`
}
