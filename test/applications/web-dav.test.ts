/** WebDAV: `litmus`, whose questions are the protocol's, to Apache's mod_dav. */
import { execFile } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPackages, fileOf } from '../debian-packages.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { BEHIND_SIGN_IN, Publication } from './publication.ts'

const MODULES = ['mpm_event', 'authn_core', 'authz_core', 'dav', 'dav_fs']

describeWithPackages('WebDAV', ['apache2', 'litmus'], () => {
  let apache: ServedProcess
  let publication: Publication
  let direct: string
  let said: string
  beforeAll(async () => {
    apache = await ServedProcess.inFolder('dav')
    direct = await startApache(apache)
    said = await litmus(direct)
    publication = await Publication.start()
  })
  afterAll(async () => {
    await publication?.close()
    await apache?.stop('SIGTERM')
  })

  test('passes directly', () => {
    expect(said.match(/, 0 failed\. 100\.0%/g)).toHaveLength(5)
  })

  test('passes over http as it does directly', async () => {
    expect(await litmus(publication.publish('http', direct))).toBe(said)
  })

  test('passes over https as it does directly', async () => {
    expectPassed(await litmus(publication.publish('https', direct)))
  })

  test('passes as it does directly, signed in with a token as the password', async () => {
    const url = publication.publish('https', direct, BEHIND_SIGN_IN)
    const token = await publication.token()
    // What it sends of a password is no longer than that.
    expect(token.length).toBeLessThan(256)
    expectPassed(await litmus(url, 'anybody', token))
    expect(publication.tunnel.offers.at(-1)!.user).toMatchObject({ subject: 'u' })
  })

  /** By TLS it leaves out what it asks of sockets. */
  function expectPassed(secured: string): void {
    const last = "-> running `http'"
    const before = (text: string) => text.slice(0, text.indexOf(last))
    expect(before(secured)).toBe(before(said))
    expect(secured.slice(secured.indexOf(last))).toMatch(/SSL[^]*, 0 failed\. 100\.0%/)
  }

  /** What each test came to, in words. It takes every certificate, and asks all that it has to ask. */
  async function litmus(url: string, ...credentials: string[]): Promise<string> {
    const work = join(apache.folder, 'work')
    await mkdir(work, { recursive: true })
    const given = ['--keep-going', url, ...credentials]
    const run = promisify(execFile)(fileOf('litmus'), given, { cwd: work, timeout: 60_000 })
    const { stdout } = await run
    return stdout
  }
})

/** Its URL. */
async function startApache(apache: ServedProcess): Promise<string> {
  const port = await freePort()
  const at = (name: string) => join(apache.folder, name)
  await mkdir(at('www'))
  await writeFile(at('www/up'), '')
  // Its processes belong to somebody else.
  for (const name of ['.', 'www']) await chmod(at(name), 0o777)
  const load = MODULES.map((name) => {
    return `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`
  })
  const configuration = `${load.join('\n')}
Listen 127.0.0.1:${port}
ServerName localhost
PidFile ${at('httpd.pid')}
Mutex file:${apache.folder} default
ErrorLog ${at('httpd.log')}
User www-data
Group www-data
DocumentRoot ${at('www')}
DavLockDB ${at('locks')}
<Location />
 Dav On
</Location>
`
  await writeFile(at('httpd.conf'), configuration)
  const url = `http://127.0.0.1:${port}/`
  await apache.start(fileOf('apache2'), ['-DFOREGROUND', '-f', at('httpd.conf')], `${url}up`)
  return url
}
