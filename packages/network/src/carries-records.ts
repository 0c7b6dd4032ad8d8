import type { AnyField, Api } from '@millrace/protocol'

const known = new WeakMap<Api, boolean>()

/** Whether answers of `api` hold records, which are decoded as views of their frame. */
export function carriesRecords(api: Api): boolean {
  let answer = known.get(api)
  if (answer === undefined) known.set(api, (answer = Object.values(api.response.fields).some(isOrHoldsRecords)))
  return answer
}

/** The same of requests. Not remembered: to be asked once for each API. */
export function requestCarriesRecords(api: Api): boolean {
  return Object.values(api.request.fields).some(isOrHoldsRecords)
}

function isOrHoldsRecords(field: AnyField): boolean {
  if (field.kind === 'records') return true
  if (field.element !== null && isOrHoldsRecords(field.element)) return true
  return field.fields !== null && Object.values(field.fields).some(isOrHoldsRecords)
}
