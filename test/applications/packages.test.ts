/**
 * A package registry: `npm` publishes to Verdaccio and installs from it, over https. Verdaccio is
 * brought from the registry of npm, as its lock file says, into a folder that goes away again.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Agent, fetch as fetchBy } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, ServedProcess } from '../served-process.ts'
import { BEHIND_SIGN_IN, Publication } from './publication.ts'

const LOCKED = fileURLToPath(new URL('verdaccio/', import.meta.url))

describe('a package registry', { timeout: 120_000 }, () => {
  let server: ServedProcess
  let publication: Publication
  let internalUrl: string
  const at = (...names: string[]) => join(server.folder, ...names)
  beforeAll(async () => {
    server = await ServedProcess.inFolder('packages')
    for (const name of ['package.json', 'package-lock.json']) copyFileSync(LOCKED + name, at(name))
    await run('npm', ['ci', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'])
    const port = await freePort()
    internalUrl = `http://127.0.0.1:${port}/`
    // JSON is YAML.
    const configuration = {
      storage: at('storage'),
      auth: { htpasswd: { file: at('users') } },
      packages: {
        '@open/*': { access: '$all', publish: '$all' },
        '**': { access: '$all', publish: '$authenticated' },
      },
      web: { enable: false },
      log: { type: 'stdout', format: 'json', level: 'error' },
    }
    writeFileSync(at('verdaccio.yaml'), JSON.stringify(configuration))
    await server.start(
      process.execPath,
      [
        at('node_modules/verdaccio/bin/verdaccio'),
        ...['--config', at('verdaccio.yaml'), '--listen', `127.0.0.1:${port}`],
      ],
      `${internalUrl}-/ping`,
    )
    publication = await Publication.start()
    publication.caFile(server.folder)
  }, 120_000)
  afterAll(async () => {
    await publication?.close()
    await server?.stop()
  })

  test('takes a package of its user, and gives it back', async () => {
    const url = publication.publish('https', internalUrl, { hostHeader: 'external' })
    await isInstalledAgain(url, await newUser(url), 'probe')
  })

  test('behind sign-in takes the token that npm shows, and needs no user of its own', async () => {
    const settings = { ...BEHIND_SIGN_IN, hostHeader: 'external' }
    const url = publication.publish('https', internalUrl, settings)
    await isInstalledAgain(url, await publication.token('robot'), '@open/probe')
    const users = publication.tunnel.offers.map(({ user }) => user?.subject)
    expect(new Set(users)).toContain('robot')
    await expect(run('npm', ['view', '@open/probe'], { registry: url })).rejects.toThrow('E401')
  })

  /** Publishes a package of this name, and installs it in another folder, from the same place. */
  async function isInstalledAgain(registry: string, token: string, name: string): Promise<void> {
    const [work, other] = [at(`work-${name.length}`), at(`other-${name.length}`)]
    const content = randomBytes(200_000).toString('base64')
    for (const folder of [work, other]) mkdirSync(folder)
    writeFileSync(join(work, 'package.json'), JSON.stringify({ name, version: '1.0.0' }))
    writeFileSync(join(work, 'content.txt'), content)
    writeFileSync(join(other, 'package.json'), '{"private":true}')
    await run('npm', ['publish'], { registry, token, cwd: work })
    // With a cache of its own: who publishes has the archive in theirs.
    await run('npm', ['install', name], { registry, token, cwd: other })
    expect(readFileSync(join(other, 'node_modules', name, 'content.txt'), 'utf8')).toBe(content)
    // The archive came the same way: its address is in what the registry says of the package.
    const archive = `/${name}/-/probe-1.0.0.tgz`
    expect(publication.tunnel.offers.map(({ target }) => target)).toContain(archive)
  }

  /** Its token, as the registry gives it. */
  async function newUser(registry: string): Promise<string> {
    const dispatcher = new Agent({ connect: { ca: publication.tunnel.ca } })
    const user = { name: 'alice', password: 'a-password-for-tests' }
    const response = await fetchBy(`${registry}-/user/org.couchdb.user:alice`, {
      ...{ dispatcher, method: 'PUT', body: JSON.stringify(user) },
      headers: { 'content-type': 'application/json' },
    })
    const { token } = (await response.json()) as { token: string }
    await dispatcher.destroy()
    return token
  }

  interface Settings {
    readonly registry?: string
    readonly token?: string
    readonly cwd?: string
  }

  /** With settings of its own, in a home of its own. */
  async function run(program: string, args: readonly string[], settings: Settings = {}) {
    const { registry, token, cwd = server.folder } = settings
    const lines = [
      ...(registry === undefined ? [] : [`registry=${registry}`]),
      ...(token === undefined ? [] : [`${registry!.replace('https:', '')}:_authToken=${token}`]),
      'update-notifier=false',
      'fetch-retries=0',
    ]
    const file = at('npmrc')
    writeFileSync(file, lines.join('\n'), { mode: 0o600 })
    const own = {
      ...{ npm_config_userconfig: file, npm_config_cache: join(cwd, 'cache') },
      npm_config_cafile: at('ca.pem'),
    }
    return promisify(execFile)(program, args, {
      ...{ cwd, timeout: 60_000 },
      // What is wrong is told, whatever the tests themselves run with.
      env: { ...process.env, npm_config_loglevel: 'error', ...(registry !== undefined && own) },
    })
  }
})
