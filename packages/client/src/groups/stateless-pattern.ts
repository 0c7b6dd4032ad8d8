/** As `pattern`, but global and sticky ones remember where they were, and would match one name and not the next. */
export function statelessPattern({ source, flags }: RegExp): RegExp {
  return new RegExp(source, flags.replaceAll(/[gy]/g, ''))
}
