/**
 * Lets the declarations in `dist/` name each other as the modules that are built: the compiler
 * leaves `./limits.ts` in them, which only newer ones follow. Nothing else moves, so that the maps
 * stay true.
 *
 * @module
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'

const DIST = new URL('../dist/', import.meta.url)

for (const path of await readdir(DIST, { recursive: true })) {
  if (!path.endsWith('.d.ts')) continue
  const file = new URL(path, DIST)
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace(/((?:from |import\()["']\.{1,2}\/[^"'\n]+)\.ts(["'])/g, '$1.js$2'),
  )
}
