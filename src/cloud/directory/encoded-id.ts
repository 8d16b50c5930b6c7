import { base64url } from 'jose'

/** An application's id, out of an address in which it is base64url; undefined: it is none. */
export function decodedId(encoded: string | undefined): string | undefined {
  if (encoded === undefined || !/^[A-Za-z0-9_-]{1,1024}$/.test(encoded)) return undefined
  try {
    return new TextDecoder().decode(base64url.decode(encoded))
  } catch {
    return undefined
  }
}
