/** No link of the guides is dead: neither the file nor the heading that it leads to. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const within = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(folder, name),
  )
const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'spec/PROTOCOL.md'],
  'spec/SCALE.md',
  ...[...within('docs'), ...within('examples')].filter((path) => path.endsWith('.md')),
].sort()

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8')
/** Without code, in which brackets mean something else. */
const prose = (text: string) =>
  text.replace(/^(```|~~~)[^]*?^\1/gm, '').replace(/(`+)[^`][^]*?\1(?!`)/g, '')

/** What a page links to, as a path from the root and an anchor; addresses elsewhere are left out. */
function linksOf(page: string): { readonly path: string; readonly anchor: string | undefined }[] {
  const targets = [...prose(textOf(page)).matchAll(/\]\(\s*<?([^)\s>]+)/g)].map(([, to]) => to!)
  return targets
    .filter((target) => !/^[a-z]+:/i.test(target))
    .map((target) => {
      const [file, anchor] = target.split('#') as [string, string | undefined]
      const path = file === '' ? page : normalize(join(dirname(page), decodeURI(file)))
      return { path, anchor }
    })
}

/** The anchors of a page, as GitHub makes them of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  const text = textOf(page).replace(/^(```|~~~)[^]*?^\1/gm, '')
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const words = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const plain = words.replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-')
    let [anchor, twice] = [plain, 0]
    while (anchors.has(anchor)) anchor = `${plain}-${++twice}`
    anchors.add(anchor)
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id!)
  return anchors
}

test('the guides are found', () => {
  expect(PAGES.length).toBeGreaterThan(20)
  expect(PAGES.flatMap(linksOf).length).toBeGreaterThan(100)
})

describe.each(PAGES)('%s', (page) => {
  test('leads only to what is there', () => {
    const dead = linksOf(page).flatMap(({ path, anchor }) => {
      // A folder has no page on the site.
      const isFile = statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() ?? false
      if (!isFile) return [path]
      const isLost = anchor !== undefined && !anchorsOf(path).has(anchor)
      return isLost ? [`${path}#${anchor}`] : []
    })
    expect(dead).toEqual([])
  })
})

test('pictures are small', () => {
  const pictures = within('docs').filter((path) => /\.(?:png|svg)$/.test(path))
  expect(pictures).toContain('docs/images/where-it-stopped.png')
  for (const path of pictures) expect(readFileSync(join(ROOT, path)).length).toBeLessThan(60_000)
})

test('what the README links to is in the package', () => {
  const packed = ['README.md', 'LICENSE', 'package.json', ...manifest.files]
  const lacking = linksOf('README.md')
    .map(({ path }) => path)
    .filter((path) => !packed.some((one) => path === one || path.startsWith(`${one}/`)))
  expect(lacking).toEqual([])
})

test('every guide can be found from the README', () => {
  const seen = new Set(['README.md'])
  for (const page of seen)
    for (const { path } of linksOf(page)) if (path.endsWith('.md')) seen.add(path)
  expect(PAGES.filter((page) => !seen.has(page) && page.startsWith('docs/'))).toEqual([])
})

test('the site has every guide', () => {
  const { projectDocuments } = JSON.parse(textOf('typedoc.json')) as { projectDocuments: string[] }
  const named = projectDocuments.flatMap((path) =>
    path.endsWith('/*.md') ? within(dirname(path)) : [path],
  )
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  expect(PAGES.filter((page) => page.startsWith('docs/') && !named.includes(page))).toEqual([])
})

test('npm’s commands in the guides are scripts that there are', () => {
  const named = PAGES.flatMap((page) =>
    [...textOf(page).matchAll(/npm run ([a-z][\w:-]*)/g)].map(([, name]) => name!),
  )
  expect([...new Set(named)].filter((name) => !(name in manifest.scripts))).toEqual([])
})

test('files that a guide names by their path are there', () => {
  const named = PAGES.filter((page) => /^(?:docs\/|README|CONTRIBUTING)/.test(page)).flatMap(
    (page) =>
      [
        ...textOf(page).matchAll(
          /(?<![\w/.-])((?:src|spec|test|examples|docs|bench)\/[\w./-]+\.\w+)/g,
        ),
      ].map(([, path]) => path!),
  )
  expect(named.length).toBeGreaterThan(50)
  expect([...new Set(named)].filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})
