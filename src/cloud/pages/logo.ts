/**
 * What may stand on a page as a tenant's logo.
 *
 * @module
 */

/** A logo is on every page in full. */
export const MAX_LOGO_CHARACTERS = 32 * 1024

const DATA = /^data:image\/(png|webp|svg\+xml);base64,([A-Za-z0-9+/]+={0,2})$/
/** What the decoded octets begin with, or have in them. */
const LOOKS: Readonly<Record<string, RegExp>> = {
  png: /^\x89PNG\r\n\x1a\n/,
  webp: /^RIFF[^]{4}WEBP/,
  'svg+xml': /<svg[\s>]/,
}

/**
 * What is wrong with a logo, or `undefined`.
 *
 * It is a base64 `data:` URI of at most 32 KiB, and what it holds is what it says. It is only ever
 * shown by an `<img>`, where an SVG runs no script and loads nothing.
 */
export function logoFault(uri: string): string | undefined {
  if (uri.length > MAX_LOGO_CHARACTERS) return `is longer than ${MAX_LOGO_CHARACTERS} characters`
  const [, type, octets] = DATA.exec(uri) ?? []
  if (type === undefined || octets === undefined)
    return 'must be a base64 data: URI of image/png, image/webp or image/svg+xml'
  let decoded: string
  try {
    decoded = atob(octets)
  } catch {
    return 'is not base64'
  }
  return LOOKS[type]!.test(decoded) ? undefined : 'does not hold an image of its type'
}
