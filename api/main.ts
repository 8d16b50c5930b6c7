/**
 * Writes the report of each subpath, from the declarations in `dist/`.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { apiReports } from './reports.ts'

for (const { path, content } of await apiReports())
  await writeFile(new URL(`../${path}`, import.meta.url), content)
