/**
 * The system's GSSAPI library, opened through `koffi`. Both are optional: whoever does not ask for
 * Kerberos needs neither.
 *
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

/** A type of C, as `koffi` knows it. */
export type ForeignType = string | { readonly __foreign?: never }
/** Something that C gave us: a handle or an address. */
export type Handle = unknown

/** A function of C. What it writes through a pointer goes into the array that is given for it. */
export interface ForeignFunction {
  (...args: readonly unknown[]): number
  /** The same on a worker thread; the last argument is told. */
  async: (...args: readonly unknown[]) => void
}

/** What we use of `koffi`; its own declarations are none that a strict compiler takes. */
export interface Koffi {
  load(path: string): {
    func(name: string, result: ForeignType, args: readonly ForeignType[]): ForeignFunction
  }
  struct(definition: Readonly<Record<string, ForeignType>>): ForeignType
  pointer(to: ForeignType): ForeignType
  out(type: ForeignType): ForeignType
  inout(type: ForeignType): ForeignType
  decode(value: Handle, type: ForeignType, length: number): unknown
}

/** Name of the library on Linux, and of the Debian package that has it. */
export const GSSAPI_LIBRARY = 'libgssapi_krb5.so.2'
const DEBIAN_PACKAGE = 'libgssapi-krb5-2'

/** A library that is open, and what its functions are declared with. */
export interface ForeignLibrary {
  readonly koffi: Koffi
  func(name: string, args: readonly ForeignType[]): ForeignFunction
}

/**
 * Opens the library.
 *
 * @param bring brings `koffi`; for tests
 * @throws ConfigurationInvalid that names the npm or the Debian package that is missing
 */
export async function openForeignLibrary(
  library: string = GSSAPI_LIBRARY,
  bring: () => Promise<unknown> = () => import('koffi'),
): Promise<ForeignLibrary> {
  const koffi = await bring().then(
    (module) => (module as { default: Koffi }).default,
    (cause: unknown) => {
      throw new ConfigurationInvalid(
        'signOn.kerberos',
        'needs the npm package koffi, which is not installed here: npm install koffi',
        { cause },
      )
    },
  )
  try {
    const loaded = koffi.load(library)
    return { koffi, func: (name, args) => loaded.func(name, 'uint32_t', args) }
  } catch (cause) {
    throw new ConfigurationInvalid(
      'signOn.kerberos.library',
      `${library} cannot be opened: install MIT Kerberos (Debian: apt-get install ${DEBIAN_PACKAGE})`,
      { cause },
    )
  }
}
