/** ListGroups: the groups of a shard, of some states and types (KIP-518, KIP-848). */
import type { ListGroups, Request, ResponseInput } from '@millrace/protocol'
import type { Groups } from './groups.ts'

export type ListedGroup = ResponseInput<typeof ListGroups>['groups'][number]

/** Filters match in any case; an empty one lets everything through, and a name that nothing has lets nothing through. */
export function listGroups(groups: Groups, { statesFilter, typesFilter }: Request<typeof ListGroups>): ListedGroup[] {
  const states = new Set(statesFilter.map((state) => state.toLowerCase().trim()))
  const types = new Set(typesFilter.map((type) => type.toLowerCase()))
  const listed: ListedGroup[] = []
  for (const { id, type, stateName, protocolType } of groups)
    if ((states.size === 0 || states.has(stateName.toLowerCase())) && (types.size === 0 || types.has(type)))
      listed.push({ groupId: id, protocolType, groupState: stateName, groupType: type })
  return listed
}
