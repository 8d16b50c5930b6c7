/**
 * A content system that writes its own address into forms, links and redirects: Debian's MediaWiki,
 * with SQLite and PHP's own server.
 */
import { execFile } from 'node:child_process'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPackages, fileOf } from '../debian-packages.ts'
import { UserAgent, type Answer } from '../examples/demo-process.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { Publication, WIKI } from './publication.ts'

const PASSWORD = 'a-password-for-tests'
const ROOT = '/usr/share/mediawiki'
/** What it answers with besides pages, and that names it. */
const FEEDS = [
  'application/atom+xml',
  'application/rss+xml',
  'application/rsd+xml',
  'application/opensearchdescription+xml',
  'text/xml',
  'application/xml',
]

describeWithPackages('a wiki', ['mediawiki', 'php-cli', 'php-sqlite3'], () => {
  let server: ServedProcess
  let publication: Publication
  let internalUrl: string
  beforeAll(async () => {
    server = await ServedProcess.inFolder('wiki')
    internalUrl = await startWiki(server)
    publication = await Publication.start()
  }, 120_000)
  afterAll(async () => {
    await publication?.close()
    await server?.stop()
  })

  const publish = (bodies: 'none' | 'links') =>
    publication.publish(
      'https',
      internalUrl,
      { translate: { bodies, ...(bodies === 'links' && { mediaTypes: FEEDS }) } },
      WIKI,
    )
  const newAgent = () => new UserAgent(publication.tunnel.ca)

  test('leads its users inside where its pages are not translated', async () => {
    const page = await newAgent().get(`${publish('none')}index.php/Main_Page`)
    expect(leaks(page)).not.toEqual([])
  })

  test('signs its user in by its own form, and takes what they write', async () => {
    const url = publish('links')
    const agent = newAgent()
    const entry = await opened(agent, `${url}index.php/Special:UserLogin`)
    const login = { wpName: 'Admin', wpPassword: PASSWORD }
    const signedIn = await sent(agent, entry, 'userlogin', login)
    expect(signedIn.text).toContain('"wgUserName":"Admin"')
    const edit = await opened(agent, `${url}index.php?title=Probe&action=edit`)
    const written = await sent(agent, edit, 'editform', { wpTextbox1: 'See [[Main Page]].' })
    expect(written.url).toBe(`${url}index.php/Probe`)
    expect(written.text).toContain('See <a href="/index.php/Main_Page"')
    expect(leaks(written)).toEqual([])
  })

  test('leads nobody inside, on two hundred pages', async () => {
    const url = publish('links')
    const agent = newAgent()
    const waiting = [`${url}index.php/Main_Page`, `${url}index.php/Special:SpecialPages`]
    const known = new Set(waiting)
    const found: string[] = []
    let visited = 0
    const visit = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (visited++ >= 200) return
        const page = await agent.get(next)
        expect(page.status, next).toBeLessThan(500)
        for (const leak of leaks(page)) found.push(`${next}: ${leak}`)
        for (const link of linksOf(page, next))
          if (link.startsWith(url) && !known.has(link)) {
            known.add(link)
            waiting.push(link)
          }
      }
    }
    // The first page says where there are others.
    const first = await agent.get(waiting[0]!)
    for (const link of linksOf(first, waiting[0]!))
      if (link.startsWith(url) && !known.has(link)) waiting.push(link)
    await Promise.all([visit(), visit()])
    expect(visited).toBeGreaterThanOrEqual(200)
    expect(found).toEqual([])
  })

  /** Whatever in a page or its head leads to where only the connector can go. */
  function leaks({ text, headers }: Answer): string[] {
    const { host } = new URL(internalUrl)
    const attributes = [...text.matchAll(/\s[\w:-]+=(?:"[^"]*"|'[^']*')/g)].map(([one]) => one)
    // PHP's own server repeats the request's `Host`, which leads nowhere.
    const values = Object.entries({ ...headers, host: undefined }).map(
      ([name, value]) => `${name}: ${String(value)}`,
    )
    const leading = attributes.filter((one) => !/^\s(?:data-|content|value|title)/.test(one))
    return [...leading, ...values].filter((one) => one.includes(host))
  }
})

interface Page extends Answer {
  readonly url: string
}

/** The page that an address leads to. */
async function opened(agent: UserAgent, url: string): Promise<Page> {
  let at = url
  for (let i = 0; i < 5; i++) {
    const answer = await agent.get(at)
    const { location } = answer.headers
    if (location === undefined) return { ...answer, url: at }
    at = new URL(location, at).href
  }
  throw new Error(`redirects without end: ${at}`)
}

/** What a form of the page leads to, filled in. */
async function sent(
  agent: UserAgent,
  page: Page,
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<Page> {
  const form = new RegExp(`<form[^>]*(?:name|id)="${name}"[^]*?</form>`).exec(page.text)![0]
  const action = /action="([^"]+)"/.exec(form)![1]!.replaceAll('&amp;', '&')
  const fields = new URLSearchParams()
  for (const [input] of form.matchAll(/<input[^>]*>/g)) {
    const field = /name=['"]([^'"]+)['"]/.exec(input)?.[1]
    const value = /value=['"]([^'"]*)['"]/.exec(input)?.[1] ?? ''
    if (field === undefined || /type=['"](?:checkbox|submit)['"]/.test(input)) continue
    fields.set(field, value.replaceAll('&#039;', "'"))
  }
  for (const [field, value] of Object.entries(values)) fields.set(field, value)
  const url = new URL(action, page.url).href
  const answer = await agent.post(
    url,
    {
      ...{ 'content-type': 'application/x-www-form-urlencoded', referer: page.url },
      origin: new URL(page.url).origin,
    },
    fields.toString(),
  )
  const { location } = answer.headers
  if (location === undefined) return { ...answer, url }
  return opened(agent, new URL(location, url).href)
}

function linksOf({ text, headers }: Answer, from: string): string[] {
  const written = [...text.matchAll(/<a\s[^>]*href="([^"#]+)/g)].map(([, link]) => link!)
  const { location } = headers
  return [...written, ...(location === undefined ? [] : [location])].flatMap((link) => {
    const readable = link.replaceAll('&amp;', '&')
    return URL.canParse(readable, from) ? [new URL(readable, from).href] : []
  })
}

/** Its URL, which it knows as its own. */
async function startWiki(server: ServedProcess): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const at = (name: string) => join(server.folder, name)
  await mkdir(at('data'))
  await promisify(execFile)(fileOf('php-cli'), [
    join(ROOT, 'maintenance/install.php'),
    ...['--dbtype', 'sqlite', '--dbpath', at('data'), '--dbname', 'wiki'],
    ...['--confpath', server.folder, '--server', url, '--scriptpath', ''],
    ...['--lang', 'en', '--pass', PASSWORD, 'Wiki', 'Admin'],
  ])
  await appendFile(at('LocalSettings.php'), '$wgJobRunRate = 0;\n')
  await server.start(
    fileOf('php-cli'),
    ['-d', 'opcache.enable_cli=1', '-S', `127.0.0.1:${port}`, '-t', ROOT],
    `${url}/index.php/Main_Page`,
    { MW_CONFIG_FILE: at('LocalSettings.php') },
  )
  return `${url}/`
}
