/**
 * Writes every generated file. `--check` writes nothing and exits 1 when one is not as it should be.
 *
 * @module
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { drifted, generatedFiles } from './files.ts'

if (process.argv.includes('--check')) {
  for (const path of await drifted()) {
    console.error(`${path} is out of date: npm run generate`)
    process.exitCode = 1
  }
} else {
  for (const [path, content] of await generatedFiles()) {
    const file = new URL(`../../${path}`, import.meta.url)
    await mkdir(new URL('.', file), { recursive: true })
    await writeFile(file, content)
  }
}
