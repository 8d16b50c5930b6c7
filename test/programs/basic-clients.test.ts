/**
 * Programs that know nothing but Basic, behind sign-in: a container client and git, with an access
 * token as their password. Real ones, over TLS, through cloud and connector.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPackages } from '../debian-packages.ts'
import { listen, startTunnel, type Tunnel } from '../integration/tunnel.ts'
import { startContainerRegistry, writeImage, type ContainerRegistry } from './container-registry.ts'
import { gitServer } from './git-server.ts'

const AUDIENCE = 'urn:programs'

describeWithPackages('behind sign-in', ['docker-registry', 'skopeo', 'git', 'curl'], () => {
  const directory = mkdtempSync(join(tmpdir(), 'app-proxy-programs-'))
  const at = (...names: string[]) => join(directory, ...names)
  let tunnel: Tunnel
  let registry: ContainerRegistry
  let git: Server
  let gitPort: number
  let host: string
  let token: string

  beforeAll(async () => {
    mkdirSync(at('repositories'))
    registry = await startContainerRegistry(at('registry'))
    git = gitServer(at('repositories'))
    gitPort = await listen(git)
    tunnel = await startTunnel({ backend: (_, response) => response.end() })
    host = `localhost:${tunnel.tlsPort}`
    mkdirSync(at('ca'))
    writeFileSync(at('ca', 'ca.crt'), tunnel.ca)
    publish('external')
    token = await tunnel.issuer.sign({ aud: AUDIENCE, sub: 'robot', tid: 'contoso', jti: 'one' })
  })
  afterAll(async () => {
    await tunnel?.close()
    await registry?.stop()
    await new Promise((closed) => git.close(closed))
    rmSync(directory, { recursive: true, force: true })
  })

  /** The registry builds addresses of its own name, or of what users call it. */
  function publish(hostHeader: 'internal' | 'external'): void {
    const shared = {
      groupId: 'default',
      preAuthentication: 'oidc',
      client: { id: 'programs' },
      bearer: { audiences: [AUDIENCE], basicToken: true },
      hostHeader,
    } as const
    tunnel.directory.replace({
      tenants: [
        { id: 'contoso', issuer: tunnel.issuer.url, registrars: { audience: 'urn:registration' } },
      ],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          ...{ id: 'images', ...shared, externalUrl: `https://${host}/` },
          internalUrl: `http://127.0.0.1:${registry.port}/`,
        },
        {
          ...{ id: 'git', ...shared, externalUrl: `https://${host}/git/` },
          internalUrl: `http://127.0.0.1:${gitPort}/`,
          identityHeaders: { 'X-User': 'subject' },
        },
      ],
    })
  }

  test.each(['external', 'internal'] as const)(
    'skopeo pushes an image, and pulls the same octets, where the registry is shown the %s name',
    async (hostHeader) => {
      publish(hostHeader)
      const layer = writeImage(at(hostHeader), 3_000_000).slice('sha256:'.length)
      const auth = Buffer.from(`robot:${token}`).toString('base64')
      writeFileSync(at('auth.json'), JSON.stringify({ auths: { [host]: { auth } } }))
      const image = `docker://${host}/team/${hostHeader}:one`
      const copy = (...args: string[]) =>
        run('skopeo', ['copy', '--insecure-policy', '--authfile', at('auth.json'), ...args])
      await copy('--dest-cert-dir', at('ca'), `oci:${at(hostHeader)}:one`, image)
      await copy('--src-cert-dir', at('ca'), image, `oci:${at(`${hostHeader}-pulled`)}:one`)
      const blob = (name: string) => readFileSync(at(name, 'blobs', 'sha256', layer))
      expect(blob(`${hostHeader}-pulled`).equals(blob(hostHeader))).toBe(true)
    },
  )

  test('skopeo without a token, or with a bad one, is told to authenticate', async () => {
    const inspect = (...args: string[]) =>
      run('skopeo', [
        'inspect',
        '--cert-dir',
        at('ca'),
        ...args,
        `docker://${host}/team/external:one`,
      ])
    await expect(inspect('--no-creds')).rejects.toThrow(/unauthorized|authentication required|401/i)
    writeFileSync(at('bad.json'), JSON.stringify({ auths: { [host]: { auth: btoa('robot:x') } } }))
    await expect(inspect('--authfile', at('bad.json'))).rejects.toThrow(/unauthorized|invalid/i)
  })

  test('git pushes and clones, and the server knows who pushed', async () => {
    const file = randomBytes(2_500_000)
    const bare = at('repositories', 'tools.git')
    await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', bare])
    await run('git', ['-C', bare, 'config', 'http.receivepack', 'true'])
    await run('git', ['init', '--quiet', '--initial-branch=main', at('work')])
    writeFileSync(at('work', 'file'), file)
    const inWork = (...args: string[]) => git_('-C', at('work'), ...args)
    await inWork('add', '.')
    await inWork('commit', '--quiet', '--message', 'one')
    await inWork('push', '--quiet', `https://${host}/git/tools.git`, 'main')
    await git_('clone', '--quiet', `https://${host}/git/tools.git`, at('clone'))
    expect(readFileSync(at('clone', 'file')).equals(file)).toBe(true)
    const told = tunnel.offers.filter(({ target }) => target.includes('tools.git'))
    expect(new Set(told.map(({ user }) => user?.subject))).toEqual(new Set(['robot']))
  })

  test('git without a token ends with an error and takes no sign-in page for a repository', async () => {
    const clone = ['clone', '--quiet', `https://${host}/git/tools.git`, at('refused')]
    await expect(git_('-c', 'credential.helper=', ...clone)).rejects.toThrow(/could not read|auth/i)
  })

  test('a program that accepts anything gets 401 and Basic, without a token', async () => {
    const args = ['-sS', '-i', '--cacert', at('ca', 'ca.crt'), '-H', 'Accept: */*']
    const { stdout } = await run('curl', [...args, `https://${host}/v2/`])
    expect(stdout).toMatch(/^HTTP\/(?:1\.1|2) 401/)
    expect(stdout).toMatch(/^www-authenticate: Basic realm="[^"]+", charset="UTF-8"\r$/im)
    expect(stdout).not.toMatch(/^location:/im)
  })

  /** Its password comes from the environment; nothing is asked at a terminal. */
  const git_ = (...args: string[]) => {
    const settings = {
      'http.sslCAInfo': at('ca', 'ca.crt'),
      'credential.helper': '!f() { echo "username=robot"; echo "password=$TOKEN"; }; f',
      ...{ 'user.name': 'Robot', 'user.email': 'robot@example.test' },
    }
    const given = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    return run('git', [...given, ...args])
  }
  const run = (program: string, args: readonly string[]) =>
    promisify(execFile)(program, args, {
      timeout: 60_000,
      env: { PATH: process.env['PATH'], HOME: directory, TOKEN: token, GIT_TERMINAL_PROMPT: '0' },
    })
})
