/**
 * Which version this is.
 */
import { readFileSync } from 'node:fs'

/** Of the package that this file is in, as it was built or as it is written. */
export function ownVersion(): string {
  for (let above = new URL('./', import.meta.url); ; above = new URL('../', above)) {
    const found = versionIn(new URL('package.json', above))
    if (found !== undefined) return found
    if (above.pathname === '/') return 'unknown'
  }
}

function versionIn(manifest: URL): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, string>
    return name === 'app-proxy' ? version : undefined
  } catch {
    return undefined
  }
}
