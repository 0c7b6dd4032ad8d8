/** How clients name themselves to brokers (KIP-511). The version is that of package.json, which a test holds it to. */
export const CLIENT_SOFTWARE = { name: 'millrace', version: '0.1.0' } as const
