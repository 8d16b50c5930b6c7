/** The registry in NATS: what every registry does, and what only one that several share does. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createMemoryRegistry,
  type ConnectorRegistry,
  type RegistryChange,
  type TokenRegistration,
} from '../../../src/cloud/index.ts'
import {
  DeploymentKeys,
  openNatsRegistry,
  unsaidChangesFile,
} from '../../../src/cloud/nats/index.ts'
import { CutLine } from '../../cut-line.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { connectorRegistrySuite } from '../../suites/connector-registry.suite.ts'
import { NatsWorld } from '../../suites/nats-world.ts'
import { until } from '../../until.ts'
import { orderOf } from './registration-order.ts'

const refused = (reason: string) => expect.objectContaining({ code: 'ERR_REFUSED', reason })
const register = (registry: ConnectorRegistry, id: string, over: Partial<TokenRegistration> = {}) =>
  registry.register({ ...orderOf(id), ...over })

describeWithPackages('a registry that instances share', ['nats-server'], () => {
  let world: NatsWorld
  const lines: CutLine[] = []
  beforeAll(async () => void (world = await NatsWorld.start()))
  afterAll(() => world.close())
  afterEach(async () => {
    await world.clear()
    for (const line of lines.splice(0)) await line.close()
  })
  const openRegistry = async () => openNatsRegistry(await world.instance())

  connectorRegistrySuite(
    'NATS',
    async () => ({
      registry: await openRegistry(),
      reopen: openRegistry,
      close: () => world.clear(),
    }),
    { survives: true },
  )

  test('of many that register at once at two instances no more than the limit get in', async () => {
    const registries = [await openRegistry(), await openRegistry()]
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => register(registries[i % 2]!, `c${i}`, { limit: 10 })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(refused('connector-limit'))
    for (const registry of registries)
      await until(async () => (await registry.list('contoso')).length === 10)
    expect(await registries[0]!.list('contoso')).toEqual(await registries[1]!.list('contoso'))
  })

  test('a token that is shown at two instances at once is good for one key', async () => {
    const registries = [await openRegistry(), await openRegistry()]
    const same = await Promise.all(
      registries.map((registry, i) => register(registry, `c${i}`, { onceId: 'lost', keyId: 'k' })),
    )
    expect(same[0]!.certificate).toEqual(same[1]!.certificate)
    expect(same.filter(({ repeated }) => repeated)).toHaveLength(1)
    const outcomes = await Promise.allSettled(
      registries.map((registry, i) => register(registry, `d${i}`, { onceId: 'stolen' })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('what one changes the others are told, once and in order', async () => {
    const [one, other] = [await openRegistry(), await openRegistry()]
    const told: RegistryChange[] = []
    other.onChange((change) => told.push(change))
    await register(one, 'c1')
    await one.setStanding('c1', 'draining', 1)
    await one.setGroup('c1', 'other')
    await until(() => told.length === 3)
    await other.setStanding('c1', 'revoked', 2)
    expect(told).toMatchObject([
      { type: 'registered', connector: { id: 'c1', standing: 'active' } },
      { type: 'changed', connector: { standing: 'draining' }, links: 'drain' },
      { type: 'changed', connector: { groupId: 'other' }, links: 'drain' },
      { type: 'changed', connector: { standing: 'revoked' }, links: 'cut' },
    ])
    await until(async () => (await one.connector('c1'))?.standing === 'revoked')
  })

  test('what one has answered the other decides on at once', async () => {
    const [one, other] = [await openRegistry(), await openRegistry()]
    for (let i = 0; i < 40; i += 1) {
      const [first, second] = i % 2 === 0 ? [one, other] : [other, one]
      await register(first, `c${i}`)
      await expect(register(second, `c${i}`, { keyId: 'another' })).rejects.toEqual(
        refused('token-replayed'),
      )
      expect((await second.setStanding(`c${i}`, 'disabled', 1)).standing).toBe('disabled')
      expect((await first.forget(`c${i}`, 2)).id).toBe(`c${i}`)
      await expect(second.rename(`c${i}`, 'gone')).rejects.toEqual(refused('not-found'))
    }
  })

  test('whoever is killed while it registers leaves each connector whole, or none of it', async () => {
    const registry = await openRegistry()
    for (const round of [0, 1, 2]) {
      const acknowledged = await registerAndDie(world, `r${round}`, 3 + 4 * round)
      await until(async () => {
        const ids = (await registry.list('contoso')).map(({ id }) => id)
        return acknowledged.every((id) => ids.includes(id))
      })
    }
    const listed = await registry.list('contoso')
    for (const { id } of listed) {
      const [certificate] = await registry.certificates(id)
      // The reply was lost, perhaps: the same key is told the same, another is a replay.
      const again = await register(registry, id)
      expect(again).toMatchObject({ repeated: true, connector: { id }, certificate })
      await expect(register(registry, id, { keyId: 'another' })).rejects.toEqual(
        refused('token-replayed'),
      )
    }
    expect((await registry.list('contoso')).length).toBe(listed.length)
  })

  test('without the broker decides nothing that needs one place, and serves what it knows', async () => {
    const registry = await openRegistry()
    const told: RegistryChange[] = []
    registry.onChange((change) => told.push(change))
    const { certificate } = await register(registry, 'c1')
    await register(registry, 'c2')
    await registry.setStanding('c2', 'disabled', 1)
    await world.server.stop()
    const over = refused('unavailable')
    await expect(register(registry, 'c3')).rejects.toEqual(over)
    await expect(registry.setStanding('c2', 'active', 2)).rejects.toEqual(over)
    await expect(registry.used(certificate.serial, 2)).rejects.toEqual(over)
    expect(await registry.certificate(certificate.serial)).toEqual(certificate)
    // A revocation does not wait.
    const revoked = await registry.setStanding('c1', 'revoked', 3)
    expect(revoked.standing).toBe('revoked')
    expect((await registry.connector('c1'))!.standing).toBe('revoked')
    expect(told.at(-1)).toMatchObject({ connector: { id: 'c1' }, links: 'cut' })
    await world.server.restart()
    const later = await openRegistry()
    await until(async () => (await later.connector('c1'))?.standing === 'revoked')
    expect((await register(registry, 'c3')).repeated).toBe(false)
  })

  test('what an instance changed without the broker outlives it, until the others know it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'unsaid-'))
    const file = join(folder, 'unsaid.json')
    const opened = async () => {
      const instance = await world.instance()
      return openNatsRegistry({ ...instance, unsaid: unsaidChangesFile(file) })
    }
    try {
      const registry = await opened()
      for (const id of ['c1', 'c2', 'c3', 'c4']) await register(registry, id)
      await world.server.stop()
      await registry.setStanding('c1', 'revoked', 1)
      await registry.setStanding('c2', 'disabled', 1)
      await registry.setStanding('c3', 'draining', 1)
      await registry.forget('c4', 1)
      expect(JSON.parse(await readFile(file, 'utf8'))).toHaveLength(4)
      await registry.close()
      await world.endInstances()
      await world.server.restart()
      // Meanwhile somebody approves one again.
      const other = await openRegistry()
      expect((await other.connector('c1'))?.standing).toBe('active')
      await other.setStanding('c3', 'disabled', 2)
      await other.setStanding('c3', 'active', 3)
      const again = await opened()
      // In effect before anything is asked of it.
      expect((await again.connector('c1'))?.standing).toBe('revoked')
      const standings = async () =>
        (await other.list('contoso')).map(({ id, standing }) => `${id} ${standing}`).sort()
      const expected = ['c1 revoked', 'c2 disabled', 'c3 active']
      await until(async () => same(await standings(), expected))
      await until(async () => (await readFile(file, 'utf8')) === '[]\n')
      await writeFile(file, '[{}]')
      await expect(opened()).rejects.toMatchObject({ code: 'ERR_PORT_FAILED', port: 'nats' })
      await writeFile(file, '{}')
      await expect(opened()).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION_INVALID',
        path: file,
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('what was changed on both sides of a partition is merged, and a revocation wins', async () => {
    const line = await CutLine.to(world.server.port)
    lines.push(line)
    const apart = await world.instance({ servers: line.address, staleAfterMs: 500 })
    const [here, there] = [await openNatsRegistry(apart), await openRegistry()]
    for (const id of ['c1', 'c2', 'c3']) await register(there, id)
    await until(async () => (await here.list('contoso')).length === 3)
    line.cut()
    await until(() => apart.connection.state === 'stale')
    await here.setStanding('c1', 'revoked', 1)
    await here.forget('c2', 1)
    await here.setStanding('c3', 'disabled', 1)
    // Nobody there knows.
    await there.setGroup('c1', 'other')
    await there.rename('c2', 'another name')
    await there.setStanding('c3', 'revoked', 2)
    await register(there, 'c4')
    const before = await here.list('contoso')
    expect(before.map(({ id, standing }) => [id, standing])).toEqual([
      ['c1', 'revoked'],
      ['c3', 'disabled'],
    ])
    line.heal()
    for (const registry of [here, there])
      await until(async () => {
        const list = await registry.list('contoso')
        const [c1, c3, c4] = ['c1', 'c3', 'c4'].map((id) => list.find((one) => one.id === id))
        return (
          list.length === 3 &&
          c1?.standing === 'revoked' &&
          c1.groupId === 'other' &&
          c3?.standing === 'revoked' &&
          c4 !== undefined
        )
      }, 30_000)
  })

  test('what lies in the broker says nothing to whoever has not the key, nor takes anything from them', async () => {
    const { connection } = await world.instance()
    const deploymentKeys = new DeploymentKeys(randomBytes(32))
    await register(await openRegistry(), 'c1')
    const opening = openNatsRegistry({ connection, deploymentKeys })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_PORT_FAILED', port: 'nats' })
    // After a change of keys, the one of before opens what it sealed.
    const old = world.deploymentKeys
    const [first, second] = [randomBytes(32), randomBytes(32)]
    const place = 'registry 7'
    const sealed = new DeploymentKeys(first).seal(place, Buffer.from('said'))
    const both = new DeploymentKeys(second, first)
    expect(Buffer.from(both.open(place, sealed)).toString()).toBe('said')
    for (const keys of [old, new DeploymentKeys(second)])
      expect(() => keys.open(place, sealed)).toThrow('was not sealed')
    expect(() => both.open('registry 8', sealed)).toThrow('was not sealed')
    for (let at = 0; at < sealed.length; at++) {
      const flipped = Uint8Array.from(sealed, (octet, i) => (i === at ? octet ^ 1 : octet))
      expect(() => both.open(place, flipped)).toThrow('was not sealed')
    }
    expect(() => new DeploymentKeys(randomBytes(16))).toThrow('are not keys of 32 octets')
  })

  describe('is the registry that one process has', () => {
    const id = fc.integer({ min: 0, max: 3 }).map((n) => `c${n}`)
    const now = fc.integer({ min: 0, max: 5 }).map((n) => 1_000 + n)
    const order = fc.oneof(
      fc.record({ do: fc.constant('register' as const), id, key: id }),
      fc.record({
        do: fc.constant('standing' as const),
        ...{ id, now, to: fc.constantFrom('active', 'draining', 'disabled', 'revoked' as const) },
      }),
      fc.record({ do: fc.constant('forget' as const), id, now }),
      fc.record({ do: fc.constant('group' as const), id, to: id }),
      fc.record({ do: fc.constant('used' as const), id, now }),
    )
    type Order = typeof order extends fc.Arbitrary<infer T> ? T : never

    const obey = (registry: ConnectorRegistry, ordered: Order): Promise<unknown> => {
      if (ordered.do === 'register')
        return register(registry, ordered.id, { keyId: ordered.key, limit: 3 })
      if (ordered.do === 'standing')
        return registry.setStanding(ordered.id, ordered.to as 'active', ordered.now)
      if (ordered.do === 'forget') return registry.forget(ordered.id, ordered.now)
      if (ordered.do === 'group') return registry.setGroup(ordered.id, ordered.to)
      return registry.used(`4${ordered.id}`, ordered.now)
    }
    const outcome = (done: Promise<unknown>) =>
      done.catch((error: Error) => `${error.name}: ${error.message}`)

    test('whichever instance is asked', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(order, fc.boolean()), { maxLength: 12 }),
          async (all) => {
            const model = createMemoryRegistry()
            const registries = [await openRegistry(), await openRegistry()]
            for (const [ordered, atFirst] of all) {
              const expected = await outcome(obey(model, ordered))
              expect(await outcome(obey(registries[atFirst ? 0 : 1]!, ordered))).toEqual(expected)
              const list = await model.list('contoso')
              for (const registry of registries)
                await until(async () => same(await registry.list('contoso'), list))
            }
            await world.clear()
          },
        ),
        { numRuns: 15 },
      )
    })
  })
})

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

/** A process that registers one after the other, and is killed; what it was answered until then. */
async function registerAndDie(world: NatsWorld, prefix: string, count: number): Promise<string[]> {
  const script = fileURLToPath(new URL('./nats-registry.child.ts', import.meta.url))
  const key = world.deploymentKeyText
  const child = spawn(process.execPath, ['--import', 'tsx', script, world.server.address, prefix], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(key)
  const acknowledged: string[] = []
  for await (const line of createInterface(child.stdout)) {
    acknowledged.push(line)
    if (acknowledged.length >= count) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
  return acknowledged
}
