/** A small application whose links are whole addresses of the inside, gone through as a browser does, on every binding and in every coding. */
import { defaultTreeAdapter, parse, type DefaultTreeAdapterTypes } from 'parse5'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { handbook, HANDBOOK_PATH } from '../examples/intranet/handbook.ts'
import { nodeContentCodings } from '../src/cloud/node/index.ts'
import { BINDINGS, publishedWorld, type Answer, type PublishedWorld } from './published-world.ts'

const OUTSIDE = 'https://handbook.example'
const application = {
  ...{ id: 'handbook', externalUrl: `${OUTSIDE}/`, preAuthentication: 'passthrough' },
  translate: { bodies: 'links', mediaTypes: ['text/css'] },
}

let world: PublishedWorld
beforeAll(async () => {
  world = await publishedWorld({
    applications: [application],
    cloud: { contentCodings: nodeContentCodings() },
    serve: handbook,
  })
  const internalUrl = `${world.internalUrl.slice(0, -1)}${HANDBOOK_PATH}`
  world.publish({ ...application, internalUrl })
})
afterAll(() => world.close())

const DECODERS: Readonly<Record<string, (octets: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
}

function textOf({ headers, octets }: Answer): string {
  const coding = headers['content-encoding']
  return (coding === undefined ? octets : DECODERS[coding]!(octets)).toString()
}

/** Every URL of a page, as its tree has them, and of its style sheets. */
function linksOf(type: string, text: string): string[] {
  if (type.startsWith('text/css')) return cssLinks(text)
  const links: string[] = []
  const visit = (node: DefaultTreeAdapterTypes.Node): void => {
    if (defaultTreeAdapter.isElementNode(node))
      for (const { name, value } of node.attrs) {
        if (['href', 'src', 'action', 'formaction'].includes(name)) links.push(value)
        if (name === 'srcset') links.push(value.split(' ')[0]!)
        if (name === 'style') links.push(...cssLinks(value))
      }
    if ('childNodes' in node) node.childNodes.forEach(visit)
  }
  visit(parse(text))
  return links
}

const cssLinks = (css: string) =>
  Array.from(
    css.matchAll(/url\("?([^)"]+)|@import "([^"]+)/g),
    ([, url, imported]) => url ?? imported!,
  )

describe.each(BINDINGS)('%s', (binding) => {
  test.each(['identity', 'gzip', 'br'])(
    'R7.2a R7.2c every link leads on, in %s',
    async (coding) => {
      const seen = new Set<string>()
      const rest = ['/']
      for (let path = rest.pop(); path !== undefined; path = rest.pop()) {
        if (seen.has(path)) continue
        seen.add(path)
        const headers = { 'accept-encoding': coding }
        const answer = await world.ask(binding, 'handbook.example', path, { headers })
        if (answer.status === 302) {
          rest.push(pathOf(answer.headers['location']!))
          continue
        }
        expect([path, answer.status]).toEqual([path, 200])
        expect(answer.headers['content-encoding']).toBe(coding === 'identity' ? undefined : coding)
        const type = answer.headers['content-type']!
        const text = textOf(answer)
        rest.push(...linksOf(type, text).map(pathOf))
        // It is text, and no link.
        if (path.startsWith('/chapter'))
          expect(text).toContain('this server knows is http://127.0.0.1:')
      }
      expect([...seen].sort()).toEqual([
        ...['/', '/chapter/1', '/chapter/2', '/chapter/3', '/chapter/4', '/chapter/5', '/latest'],
        ...['/logo.svg', '/print.css', '/style.css'],
      ])
    },
  )

  test('R7.2a a page that says what is missing has its links translated as well', async () => {
    const answer = await world.ask(binding, 'handbook.example', '/nothing')
    expect(answer.status).toBe(404)
    expect(linksOf('text/html', answer.body).map(pathOf)).toContain('/')
  })
})

/** Of a link that leads outside. */
function pathOf(link: string): string {
  const { origin, pathname } = new URL(link, OUTSIDE)
  expect(origin, link).toBe(OUTSIDE)
  return pathname
}
