import type { GroupClient } from '../coordinators/groups/group-part.ts'
import type { RequestContext } from '../server/request-context.ts'

/** The client of a request, as its group remembers it. */
export function groupClient({ clientId, connection, version }: RequestContext): GroupClient {
  return { clientId: clientId ?? '', clientHost: `/${connection.remoteAddress.host}`, apiVersion: version }
}
