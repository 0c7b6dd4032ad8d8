/** HTTP as far as it is needed: to ask an identity provider for a token. By Node's own client, with the authorities that Node trusts. */

export interface PostFormOptions {
  readonly fields: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Of the answer's body; more is an error. */
  readonly maxBytes: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/** Resolves with the answer whatever its status. @throws Error when there is none, a redirect, or too long a one; the signal's reason. */
export async function postForm(url: string, options: PostFormOptions): Promise<HttpAnswer> {
  const { fields, headers, signal, maxBytes } = options
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers: { accept: 'application/json', ...headers },
    redirect: 'error',
    signal,
  })
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`expected an answer of up to ${maxBytes} bytes, got more`)
    chunks.push(chunk)
  }
  return { status: response.status, body: Buffer.concat(chunks).toString('utf8') }
}
