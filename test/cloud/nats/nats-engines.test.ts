/** What instances share in NATS besides connectors: sign-outs, keys, refresh tokens. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { KeyRing, type Application } from '../../../src/cloud/index.ts'
import {
  createDeploymentKeyFile,
  deploymentKeyFile,
  openNatsAssertionKeys,
  openNatsConnection,
  openNatsKeyRing,
  openNatsRegistry,
  openNatsRevocations,
  openNatsSessionGrants,
  unsaidChangesFile,
} from '../../../src/cloud/nats/index.ts'
import { SharedLog } from '../../../src/cloud/nats/shared-log.ts'
import { CutLine } from '../../cut-line.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { NatsServer } from '../../nats-server.ts'
import { keyRingSuite } from '../../suites/key-ring.suite.ts'
import { NatsWorld } from '../../suites/nats-world.ts'
import { revocationsSuite } from '../../suites/revocations.suite.ts'
import { kept, sessionGrantsSuite } from '../../suites/session-grants.suite.ts'
import { until } from '../../until.ts'
import { orderOf } from './registration-order.ts'

const NOW = Date.now()
const application = { id: 'wiki', tenantId: 'contoso' } as Application
const session = (id: string) => ({ id, startedAt: NOW })
const refused = expect.objectContaining({ code: 'ERR_REFUSED', reason: 'unavailable' })

describeWithPackages('what instances share', ['nats-server'], () => {
  let world: NatsWorld
  const lines: CutLine[] = []
  beforeAll(async () => void (world = await NatsWorld.start()))
  afterAll(() => world.close())
  afterEach(async () => {
    await world.clear()
    for (const line of lines.splice(0)) await line.close()
  })

  const open = {
    revocations: async () => openNatsRevocations(await world.instance()),
    keys: async () => openNatsKeyRing(await world.instance()),
    grants: async () => openNatsSessionGrants(await world.instance()),
  }
  revocationsSuite('NATS', open.revocations, { isShared: true })
  keyRingSuite('NATS', open.keys)
  sessionGrantsSuite('NATS', open.grants)

  test('keys that sign assertions are shared as those that seal are', async () => {
    const [one, other] = [
      await openNatsAssertionKeys(await world.instance()),
      await openNatsAssertionKeys(await world.instance()),
    ]
    const key = { id: 'a', createdAt: 1, x: 'x', y: 'y', d: 'd' }
    expect(await one.save([key], [])).toBe(true)
    await until(async () => (await other.load()).length === 1)
    expect(await other.load()).toEqual([key])
  })

  test('a lease that two instances want is one instance’s', async () => {
    const [one, other] = [await open.grants(), await open.grants()]
    const version = (await one.write('a', kept('1')))!
    const leases = await Promise.all(
      [one, other].map((grants, i) => grants.write('a', kept('1', { lease: `${i}` }), version)),
    )
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1)
    expect((await one.read('a'))!.version).toBe(leases.find((lease) => lease !== undefined))
    await one.endAt('a', 9_000_000)
    expect((await other.read('a'))!.kept.endsAt).toBe(9_000_000)
  })

  test('a sign-out on either side of a partition holds there at once, and everywhere when it heals', async () => {
    const line = await CutLine.to(world.server.port)
    lines.push(line)
    const apart = await world.instance({ servers: line.address, staleAfterMs: 500 })
    const [here, there] = [await openNatsRevocations(apart), await open.revocations()]
    line.cut()
    await until(() => apart.connection.state === 'stale')
    await here.revoke({ kind: 'session', id: 'a', at: NOW })
    await there.revoke({ kind: 'session', id: 'b', at: NOW })
    expect(here.isRevoked(session('a'), application)).toBe(true)
    expect(there.isRevoked(session('b'), application)).toBe(true)
    line.heal()
    await until(() => here.isRevoked(session('b'), application), 30_000)
    await until(() => there.isRevoked(session('a'), application), 30_000)
  })

  test('a broker that answers nothing: keys are not rotated, grants are refused; then it goes on', async () => {
    const instance = await world.instance({ staleAfterMs: 500, answerMs: 300 })
    const ring = await KeyRing.open({ store: await openNatsKeyRing(instance) })
    const grants = await openNatsSessionGrants(instance)
    const revocations = await openNatsRevocations(instance)
    await grants.write('a', kept('1'))
    const { newest } = ring
    world.server.pause()
    try {
      await until(() => instance.connection.state === 'stale', 30_000)
      await expect(ring.rotate()).rejects.toEqual(refused)
      await expect(grants.read('a')).rejects.toEqual(refused)
      await expect(grants.write('b', kept('2'))).rejects.toEqual(refused)
      await revocations.revoke({ kind: 'session', id: 'a', at: NOW })
      expect(revocations.isRevoked(session('a'), application)).toBe(true)
      expect(ring.newest).toBe(newest)
    } finally {
      world.server.resume()
    }
    await until(() => instance.connection.isFresh, 30_000)
    const later = await open.revocations()
    await until(() => later.isRevoked(session('a'), application), 30_000)
    await ring.rotate()
    expect(ring.newest).not.toBe(newest)
    expect((await grants.read('a'))!.kept.sealed).toBe('1')
    ring.close()
  })

  test('what was revoked without the broker outlives its instance, until the others know it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'unsaid-'))
    const file = join(folder, 'unsaid.json')
    const opened = async () =>
      openNatsRevocations({ ...(await world.instance()), unsaid: unsaidChangesFile(file) })
    try {
      const first = await opened()
      await first.revoke({ kind: 'session', id: 'said', at: NOW })
      await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' })
      await world.server.stop()
      await first.revoke({ kind: 'session', id: 'unsaid', at: NOW })
      expect(JSON.parse(await readFile(file, 'utf8'))).toHaveLength(1)
      await world.endInstances()
      await world.server.restart()
      const other = await open.revocations()
      expect(other.isRevoked(session('unsaid'), application)).toBe(false)
      const again = await opened()
      for (const id of ['said', 'unsaid'])
        expect(again.isRevoked(session(id), application)).toBe(true)
      await until(() => other.isRevoked(session('unsaid'), application))
      await until(async () => (await readFile(file, 'utf8')) === '[]\n')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('what the broker was told is there when it was killed, and starts again', async () => {
    const ring = await KeyRing.open({ store: await open.keys() })
    const [revocations, grants] = [await open.revocations(), await open.grants()]
    await revocations.revoke({ kind: 'session', id: 'a', at: NOW })
    await grants.write('a', kept('1'))
    await world.server.kill()
    await world.server.restart()
    expect((await open.revocations()).isRevoked(session('a'), application)).toBe(true)
    expect((await KeyRing.open({ store: await open.keys() })).newest).toBe(ring.newest)
    expect((await (await open.grants()).read('a'))!.kept.sealed).toBe('1')
    ring.close()
  })

  test('nothing of it lies in the broker as it is', async () => {
    const ring = await KeyRing.open({ store: await open.keys() })
    const secrets = (await (await open.keys()).load()).map(({ secret }) => Buffer.from(secret))
    await (await open.revocations()).revoke({ kind: 'session', id: 'named-session', at: NOW })
    await (await open.grants()).write('named-session', kept('named-token', { labels: ['named'] }))
    await world.server.stop()
    const files = await readdir(world.server.folder, { recursive: true, withFileTypes: true })
    const octets = Buffer.concat(
      await Promise.all(
        files
          .filter((file) => file.isFile())
          .map((file) => readFile(join(file.parentPath, file.name))),
      ),
    )
    await world.server.restart()
    // Something of it is there at all.
    expect(octets.includes('ap1.l.revocations')).toBe(true)
    for (const said of ['named', ring.newest, ...secrets, ...secrets.map(base64url)])
      expect(octets.includes(said)).toBe(false)
    ring.close()
  })

  test('of a long log all that it says is kept, and what came before it is not', async () => {
    const instance = await world.instance()
    const log = async (restored: string[]) => {
      const known: string[] = restored
      const opened = await SharedLog.open<string>(instance.connection, {
        ...{ name: 'long', keys: instance.deploymentKeys },
        apply: (entry) => void known.push(entry),
        base: {
          every: 10,
          parts: () => [known.slice(0, 3), known.slice(3)],
          restore: (parts) => void known.splice(0, Infinity, ...(parts.flat() as string[])),
        },
      })
      return { opened, known }
    }
    const [one, other] = [await log([]), await log([])]
    for (let i = 0; i < 35; i++)
      await (i % 2 ? one : other).opened.append(() => ({ entry: `${i}`, result: undefined }))
    const all = Array.from({ length: 35 }, (_, i) => `${i}`)
    for (const { known } of [one, other]) {
      await until(() => known.length === 35)
      expect(known).toEqual(all)
    }
    const file = await log([])
    await until(() => file.known.length === 35)
    expect(file.known).toEqual(all)
    const { client } = instance.connection
    const info = await client.request('$JS.API.STREAM.INFO.ap1_long')
    const { state } = info.json<{ state: { messages: number } }>()
    expect(state.messages).toBeLessThan(35)
  })

  test('the permissions that the documentation gives suffice, and reach nothing else', async () => {
    const page = await readFile(new URL('../../../docs/nats.md', import.meta.url), 'utf8')
    const accounts = /```conf\n(accounts [^`]*)```/.exec(page)![1]!
    const configuration = accounts.replace('$CLOUD_PASSWORD', 'secret')
    const server = await NatsServer.start({ configuration })
    const failures: unknown[] = []
    try {
      const connection = await openNatsConnection({
        ...{ servers: server.address, pingEveryMs: 200, onError: (told) => failures.push(told) },
        credentials: () => ({ user: 'cloud', password: 'secret' }),
      })
      await until(() => connection.isFresh)
      const shared = { connection, deploymentKeys: world.deploymentKeys }
      const ring = await KeyRing.open({ store: await openNatsKeyRing(shared) })
      await ring.rotate()
      ring.close()
      const registry = await openNatsRegistry(shared)
      await registry.register(orderOf('c1'))
      const revocations = await openNatsRevocations(shared)
      await revocations.revoke({ kind: 'session', id: 'a', at: NOW })
      const grants = await openNatsSessionGrants(shared)
      await grants.write('a', kept('1'))
      await grants.removeLabelled('application', NOW)
      expect(await grants.read('a')).toBeUndefined()
      await server.stop()
      await server.restart()
      await until(() => connection.isFresh, 30_000)
      await registry.setStanding('c1', 'revoked', NOW)
      failures.length = 0
      connection.subscribe('elsewhere', () => undefined)
      await until(() => failures.length > 0)
      await connection.close()
    } finally {
      await server.close()
    }
  })

  test('the deployment’s key is a private file, made once', async () => {
    const path = join(world.server.folder, 'deployment.key')
    expect([await createDeploymentKeyFile(path), await createDeploymentKeyFile(path)]).toEqual([
      true,
      false,
    ])
    const [one, other] = [await deploymentKeyFile(path), await deploymentKeyFile(path)]
    const sealed = one.seal('here', Buffer.from('said'))
    expect(Buffer.from(other.open('here', sealed)).toString()).toBe('said')
    const none = deploymentKeyFile(join(world.server.folder, 'none.key'))
    await expect(none).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID' })
    const wrong = deploymentKeyFile(join(world.server.folder, 'nats.conf'))
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_CONFIGURATION_INVALID' })
  })
})

const base64url = (octets: Buffer) => octets.toString('base64url')
