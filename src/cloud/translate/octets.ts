/** Header values are octets; what of them is UTF-8 is read as text. */
import type { UrlTranslation } from './url-translation.ts'

/**
 * The external URL for one in a header value, whose host may be written in UTF-8; `undefined`: it
 * stays.
 */
export function outwardOctets(
  value: string,
  urls: Pick<UrlTranslation, 'outward'>,
): string | undefined {
  if (!/[\x80-\xff]/.test(value)) return urls.outward(value)
  const text = textOf(value)
  const translated = text === undefined ? undefined : urls.outward(text)
  return translated && octetsOf(translated)
}

function textOf(octets: string): string | undefined {
  try {
    const bytes = Uint8Array.from(octets, (character) => character.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function octetsOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text))
}
