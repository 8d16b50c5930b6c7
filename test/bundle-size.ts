/**
 * What of the package a browser has to load.
 *
 * @module
 */
import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'

/** Bytes, minified and gzipped, of a program that exports these names of `specifier`, or all. */
export async function bundledBytes(
  specifier: string,
  names: readonly string[] | '*',
  cwd: string,
): Promise<number> {
  const exported = names === '*' ? '*' : `{ ${names.join(', ')} }`
  const { outputFiles } = await build({
    stdin: { contents: `export ${exported} from '${specifier}'`, resolveDir: cwd },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  })
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length
}
