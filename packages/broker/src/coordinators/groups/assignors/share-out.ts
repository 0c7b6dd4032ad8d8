/** Shares out `count` things among members, each to several if there are more members than things. Source: Kafka's simple assignment builders. */

/**
 * Each thing goes to as many members as it takes for all to have one: the same number for all things, rounded up. Members get equally many,
 * give or take one. They keep what they had before as far as that allows; now and then a thing has one member too few, because those who
 * have room for it have it already.
 * @param before what each member has had, by number, from 0 to `count`.
 */
export function shareOut(before: readonly ReadonlySet<number>[], count: number): Set<number>[] {
  const members = before.length
  const own = before.map((things) => new Set(things))
  const holders: Set<number>[] = Array.from({ length: count }, () => new Set())
  own.forEach((things, member) => {
    for (const thing of things) holders[thing]!.add(member)
  })
  const sharing = count === 0 ? 0 : Math.ceil(members / count)
  const desired = desiredCounts(members, sharing * count)
  const take = (member: number, thing: number): void => {
    own[member]!.delete(thing)
    holders[thing]!.delete(member)
  }
  own.forEach((things, member) => {
    for (const thing of things) {
      if (things.size <= desired[member]!) break
      take(member, thing)
    }
  })
  holders.forEach((having, thing) => {
    for (const member of having) {
      if (having.size <= sharing) break
      take(member, thing)
    }
  })
  giveOut(own, holders, sharing, desired)
  return own
}

/** So that they add up to `total`. */
function desiredCounts(members: number, total: number): number[] {
  const each = total / members
  return Array.from({ length: members }, (_, member) => Math.ceil(each * (member + 1)) - Math.ceil(each * member))
}

/** Goes once through the things, and round and round through the members that have too few. */
function giveOut(
  own: readonly Set<number>[],
  holders: readonly Set<number>[],
  sharing: number,
  desired: readonly number[],
): void {
  const unfilled = [...own.keys()].filter((member) => own[member]!.size < desired[member]!)
  let at = 0
  let hasGivenInRound = false
  for (const [thing, having] of holders.entries())
    while (having.size < sharing && unfilled.length > 0) {
      if (at >= unfilled.length) {
        if (!hasGivenInRound) break
        at = 0
        hasGivenInRound = false
      }
      const member = unfilled[at]!
      if (having.has(member)) {
        at++
        continue
      }
      having.add(member)
      own[member]!.add(thing)
      hasGivenInRound = true
      if (own[member]!.size >= desired[member]!) unfilled.splice(at, 1)
      else at++
    }
}
