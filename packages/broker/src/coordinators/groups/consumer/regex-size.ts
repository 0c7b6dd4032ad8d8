/**
 * How large the program is that a regular expression of RE2's syntax compiles to, roughly and not too low. Its engine takes time and memory for
 * it without a bound: `a{1000}` a thousand times are 7 KB from a client, and seconds and most of a gigabyte here.
 */
export function expandedSize(regex: string): number {
  /** Sizes of the groups that are open, the outermost first. */
  const open: number[] = [0]
  let last = 0
  const add = (size: number): void => {
    open[open.length - 1]! += size
    last = size
  }
  for (let at = 0; at < regex.length;) {
    const token = tokenAt(regex, at)
    if (token === '(') open.push(1)
    else if (token === ')' && open.length > 1) add(open.pop()!)
    else if (isRepetition(token)) add(last * (Math.max(...token.match(/\d+/g)!.map(Number)) - 1))
    else if (token.startsWith('\\Q')) add(token.length)
    else add(1)
    at += token.length
  }
  return open.reduce((sum, size) => sum + size, 0)
}

/** What is not closed goes to the end, and so is looked at once. */
const tokens =
  /\\Q.*?(?:\\E|$)|\\[pPx]\{[^}]*(?:\}|$)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*(?:\]|$)|\{\d+(?:,\d*)?\}|./suy

function tokenAt(regex: string, at: number): string {
  tokens.lastIndex = at
  return tokens.exec(regex)?.[0] ?? regex[at]!
}

function isRepetition(token: string): boolean {
  return token.length > 2 && token.startsWith('{') && token.endsWith('}')
}
