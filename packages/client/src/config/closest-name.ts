/** The name somebody probably meant. */

/** Edits above which two names have nothing to do with each other, as a share of the length of the longer. */
const mostEdits = 0.4

/**
 * The one of `names` nearest to `written`, or null when none is near. Dots, dashes, underscores and case do not count, so that
 * `linger.ms` leads to `lingerMs`; a name that contains the other is near too.
 */
export function closestName(written: string, names: readonly string[]): string | null {
  const wanted = plain(written)
  let best: string | null = null
  let bestDistance = Infinity
  for (const name of names) {
    const candidate = plain(name)
    const contains = wanted.length > 3 && (candidate.includes(wanted) || wanted.includes(candidate))
    const distance = contains ? 0.5 : editDistance(wanted, candidate)
    const limit = Math.max(wanted.length, candidate.length) * mostEdits
    if (distance <= limit && distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

function plain(name: string): string {
  return name.replaceAll(/[._-]/g, '').toLowerCase()
}

/** Levenshtein's. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const substitution = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[other.length]!
}
