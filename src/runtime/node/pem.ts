/** PEM armour around DER; `label` as in `CERTIFICATE`. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The DER inside the first PEM block of that label, or undefined. */
export function fromPem(label: string, pem: string): Uint8Array<ArrayBuffer> | undefined {
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`)
  const base64 = block.exec(pem)?.[1]
  return base64 === undefined ? undefined : new Uint8Array(Buffer.from(base64, 'base64'))
}
