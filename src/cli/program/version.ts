/**
 * The package that this program is of.
 */
import { readFileSync } from 'node:fs'

/** What is known of it. */
export interface OwnPackage {
  readonly folder: URL
  readonly version: string
  /** By name: the packages that it is developed with. */
  readonly versions: Readonly<Record<string, string>>
}

/** That which this file is in, as it was built or as it is written. */
export function ownPackage(): OwnPackage {
  for (let above = new URL('./', import.meta.url); ; above = new URL('../', above)) {
    const found = packageIn(above)
    if (found !== undefined) return found
    if (above.pathname === '/') return { folder: above, version: 'unknown', versions: {} }
  }
}

/** Which version this is. */
export const ownVersion = () => ownPackage().version

interface Manifest {
  readonly name: string
  readonly version: string
  readonly devDependencies?: Readonly<Record<string, string>>
}

function packageIn(folder: URL): OwnPackage | undefined {
  try {
    const text = readFileSync(new URL('package.json', folder), 'utf8')
    const { name, version, devDependencies = {} } = JSON.parse(text) as Manifest
    return name === 'app-proxy' ? { folder, version, versions: devDependencies } : undefined
  } catch {
    return undefined
  }
}
