/**
 * What users can import, as `dist/` declares it: chosen, documented, and the same as the reports in
 * `api/` say. `npm run build && npm run api` writes them.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { apiReports, SUBPATHS, type ApiReport } from '../api/reports.ts'

const ROOT = new URL('../', import.meta.url)
let reports: ReadonlyMap<string, ApiReport>

beforeAll(async () => {
  if (!existsSync(new URL('dist/protocol/index.d.ts', ROOT)))
    await promisify(execFile)('npm', ['run', 'build'], { cwd: fileURLToPath(ROOT) })
  reports = new Map((await apiReports()).map((report) => [report.subpath, report]))
}, 180_000)

describe.each(SUBPATHS)('%s', (subpath) => {
  const report = () => reports.get(subpath)!

  test('is what its report says', async () => {
    const written = await readFile(new URL(report().path, ROOT), 'utf8').catch(() => '')
    expect(report().content === written, 'npm run build && npm run api').toBe(true)
  })

  test('is small enough to be read', () =>
    expect(Buffer.byteLength(report().content)).toBeLessThan(71_000))

  test('has a comment for every name', () => expect(undocumentedNames(report())).toEqual([]))

  test('has a comment for every option', () => expect(undocumentedOptions(report())).toEqual([]))

  test('declares nothing that can be had nowhere', () => {
    const all = [...reports.values()].flatMap(exportedNames)
    const forgotten = report().forgotten.filter((name) => !all.includes(name))
    // The types of audit events are computed from their rows, which `AUDIT_EVENTS` shows.
    expect(forgotten).toEqual(subpath === 'cloud' ? ['ROWS'] : [])
  })

  test('shows no schema but the one that is meant to be part of another', () => {
    const schemas = report()
      .content.split('\n')
      .filter((line) => /\bv\.\w*Schema\b/.test(line))
    const meant = /^export (?:const DirectoryConfiguration|function checkConfiguration)\b/
    expect(schemas.filter((line) => !meant.test(line))).toEqual([])
  })

  test('has no fault', () => expect(report().faults).toEqual([]))
})

/** `export interface X`, or `interface X` that is exported below. */
const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|type) (\w+)/

function exportedNames({ content }: ApiReport): string[] {
  const named = [...content.matchAll(/^export \{ (\w+)(?: as (\w+))? \}/gm)]
  const declared = content
    .split('\n')
    .filter((line) => line.startsWith('export '))
    .map((line) => DECLARATION.exec(line)?.[1])
  return [
    ...named.map(([, name, alias]) => alias ?? name!),
    ...declared.filter((one) => one !== undefined),
  ]
}

function undocumentedNames({ content }: ApiReport): (string | undefined)[] {
  const lines = content.split('\n')
  return lines.flatMap((line, i) =>
    /^\/\/ .*\(undocumented\)/.test(line)
      ? [DECLARATION.exec(lines.slice(i + 1).find((next) => !next.startsWith('//')) ?? '')?.[1]]
      : [],
  )
}

/** Members of interfaces that users write. */
function undocumentedOptions({ content }: ApiReport): string[] {
  const found: string[] = []
  let name: string | undefined
  const lines = content.split('\n')
  for (const [i, line] of lines.entries()) {
    if (/^\S/.test(line)) name = /^(?:export )?interface (\w+)/.exec(line)?.[1]
    if (name === undefined || !/(?:Options|Limits|Ports|Input|Shares|Trust|Proxies)$/.test(name))
      continue
    if (/^ {2}\/\/ \(undocumented\)/.test(line) && !/^ +(?:readonly )?\[/.test(lines[i + 1]!))
      found.push(`${name}: ${lines[i + 1]!.trim()}`)
  }
  return found
}
