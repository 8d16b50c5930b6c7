import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createServerAuthority, type StoredAuthority } from '../../src/cloud/index.ts'
import type { ConfigurationKeeper } from '../../src/connector/configuration-keeper.ts'
import { MemoryIdentityStore } from '../../src/connector/memory-identity-store.ts'
import { FileIdentityStore } from '../../src/connector/node/file-identity-store.ts'
import type { ConnectorIdentity, IdentityStore } from '../../src/connector/ports.ts'
import { Refused } from '../../src/protocol/wire/errors.ts'
import { ConnectorWorld } from './connector-world.ts'
import { DAY_MS, serialOf } from './cloud-in-memory.ts'
import { MortalStore, type Moment } from './mortal-store.ts'

const MINUTE_MS = 60_000

let world: ConnectorWorld
let keepers: ConfigurationKeeper[]
beforeEach(async () => {
  world = await ConnectorWorld.create()
  keepers = []
})
afterEach(async () => {
  for (const keeper of keepers) keeper.close()
  await world.close()
})

const run = async (more: Parameters<ConnectorWorld['keeper']>[0] = {}) => {
  const keeper = await world.keeper(more)
  keepers.push(keeper)
  await world.within(DAY_MS, keeper.start())
  return keeper
}
const certificates = () => world.cloud.registry.certificates(keepers[0]!.identity.connectorId)
const serials = () => [
  ...new Set(world.cloud.pulls.map(({ identity }) => serialOf(identity.certificate))),
]

test('over 200 days the certificate rolls six times, each time after 30 days and not before', async () => {
  const keeper = await run()
  const rolls: number[] = []
  let used = serialOf(keeper.identity.certificate)
  keeper.subscribe((event) => {
    if (event.type === 'renewed') rolls.push(world.time.wallClock)
  })
  const start = world.time.wallClock
  await world.time.pass(200 * DAY_MS)
  expect(rolls).toHaveLength(6)
  for (const [index, at] of rolls.entries()) {
    const age = at - (rolls[index - 1] ?? start)
    expect(age).toBeGreaterThan(30 * DAY_MS)
    expect(age).toBeLessThan(30 * DAY_MS + 2 * 60 * MINUTE_MS)
  }
  expect(serials()).toHaveLength(7)
  expect(serialOf(keeper.identity.certificate)).not.toBe(used)
  used = serialOf(keeper.identity.certificate)
  expect(await world.store.load()).toEqual({ current: keeper.identity })
  expect(world.happened('pull-failed')).toBe(0)
  expect(world.cloud.pulls.length).toBeGreaterThan(200 * 20)
})

test('each new certificate has a new key, and the same connector', async () => {
  const keeper = await run()
  const before = keeper.identity
  await world.time.pass(31 * DAY_MS)
  const after = keeper.identity
  const [a, b] = await Promise.all(
    [before, after].map(({ keys }) => crypto.subtle.exportKey('spki', keys.publicKey)),
  )
  expect(Buffer.from(a!)).not.toEqual(Buffer.from(b!))
  const { tenantId, connectorId } = before
  expect(after).toMatchObject({ tenantId, connectorId })
})

test('age is measured by the clock of the cloud, whatever the own clock says', async () => {
  const keeper = await run()
  world.cloud.clockAheadMs = 30 * DAY_MS + 1
  keeper.hint()
  await world.time.pass(MINUTE_MS)
  expect(world.happened('renewed')).toBe(1)
})

test('the certificate request rides on pulls until one is answered', async () => {
  const keeper = await run()
  world.cloud.clockAheadMs = 31 * DAY_MS
  const pull = world.cloud.configuration.bind(world.cloud)
  const faults = ['lost', 'reply-lost', 'silent'] as const
  let asked = 0
  world.cloud.configuration = (request, call) => {
    const fault = request.request && faults[asked++]
    if (fault !== undefined) world.cloud.faults.push(fault)
    return pull(request, call)
  }
  keeper.hint()
  await world.time.pass(5 * MINUTE_MS)
  const requests = world.cloud.pulls.flatMap(({ request }) => request.request ?? [])
  expect(asked).toBe(4)
  // Two of the four arrived.
  expect(requests).toHaveLength(2)
  expect(world.happened('renewed')).toBe(1)
  // One key for all of them, so one certificate.
  expect(await certificates()).toHaveLength(2)
})

test('the authorities of the cloud are told with a certificate, and followed where one is known', async () => {
  const [one, two, three] = await Promise.all([root(), root(), root()])
  const { store } = world
  let keeper = await run()
  const rolled = async (told: readonly Uint8Array[], pinned?: readonly Uint8Array[]) => {
    keeper.close()
    const { current } = await store.load()
    await store.save({ current: { ...current!, ...(pinned && { cloudAuthorities: pinned }) } })
    world.cloud.configure({ cloudAuthorities: () => told })
    world.cloud.clockAheadMs += 31 * DAY_MS
    keeper = await run()
    await world.time.pass(MINUTE_MS)
    return (await store.load()).current!.cloudAuthorities
  }
  // Who pins none goes by public authorities.
  expect(await rolled([one])).toEqual([])
  expect(await rolled([one, two], [one])).toEqual([one, two])
  // Nobody could be reached by it: a mistake.
  expect(await rolled([three])).toEqual([one, two])
  expect(await rolled([])).toEqual([one, two])
  expect(await rolled([two])).toEqual([two])
})

async function root(): Promise<Uint8Array> {
  let stored: StoredAuthority | undefined
  const store = {
    load: async () => stored,
    save: async (authority: StoredAuthority) => void (stored ??= authority),
  }
  return (await createServerAuthority({ store })).certificate
}

test('transports are told only once the new certificate has worked', async () => {
  const keeper = await run()
  const before = keeper.identity
  world.cloud.refuse = (identity) =>
    identity?.certificate === before.certificate ? undefined : new Refused('certificate-untrusted')
  world.cloud.clockAheadMs = 31 * DAY_MS
  keeper.hint()
  await world.time.pass(MINUTE_MS)
  expect(world.happened('reverted')).toBeGreaterThanOrEqual(1)
  expect(world.happened('renewed')).toBe(0)
  expect(keeper.identity).toBe(before)
})

test('a new certificate that is refused gives way to the one before, which rolls anew', async () => {
  const keeper = await run()
  const before = keeper.identity
  let refusals = 0
  world.cloud.refuse = (identity) =>
    identity?.certificate !== before.certificate && refusals++ === 0
      ? new Refused('certificate-untrusted')
      : undefined
  world.cloud.clockAheadMs = 31 * DAY_MS
  keeper.hint()
  await world.time.pass(DAY_MS)
  expect(world.happened('reverted')).toBe(1)
  expect(world.happened('renewed')).toBe(1)
  expect(keeper.identity.certificate).not.toBe(before.certificate)
  expect(await world.store.load()).toEqual({ current: keeper.identity })
})

test('one that gets no answer stays: the cloud may have seen it', async () => {
  const keeper = await run()
  const before = keeper.identity
  let attempts = 0
  const pull = world.cloud.configuration.bind(world.cloud)
  world.cloud.configuration = (request, call) => {
    const breaks = call.identity.certificate !== before.certificate && ++attempts <= 20
    if (breaks) world.cloud.faults.push('reply-lost')
    return pull(request, call)
  }
  world.cloud.clockAheadMs = 31 * DAY_MS
  keeper.hint()
  await world.time.pass(3 * DAY_MS)
  expect(attempts).toBeGreaterThan(20)
  expect(world.happened('reverted')).toBe(0)
  expect(world.happened('renewed')).toBe(1)
})

test('an expired certificate says so, and recovers if it was the clock of the cloud', async () => {
  const keeper = await run()
  const pull = world.cloud.configuration.bind(world.cloud)
  world.cloud.configuration = () => Promise.reject(new Refused('certificate-expired'))
  keeper.hint()
  await world.time.pass(MINUTE_MS)
  expect(keeper.certificateState).toBe('expired')
  expect(world.happened('expired')).toBe(1)
  world.cloud.configuration = pull
  await world.time.pass(2 * 60 * MINUTE_MS)
  expect(keeper.certificateState).toBe('fresh')
})

test('a certificate whose reply was lost long ago is as old as it is', async () => {
  const keeper = await run()
  world.cloud.clockAheadMs = 31 * DAY_MS
  keeper.hint()
  const pull = world.cloud.configuration.bind(world.cloud)
  world.cloud.configuration = (request, call) => {
    if (request.request !== undefined) world.cloud.faults.push('reply-lost')
    return pull(request, call)
  }
  await world.time.pass(MINUTE_MS)
  keeper.close()
  const made = world.cloud.serverTime
  world.cloud.configuration = pull
  world.cloud.clockAheadMs = 51 * DAY_MS
  const later = await run()
  await world.time.pass(MINUTE_MS)
  expect(later.identity.issuedAt).toBeLessThanOrEqual(made + 5 * MINUTE_MS)
  expect(await certificates()).toHaveLength(2)
})

test('a full disk delays a roll and breaks nothing', async () => {
  const keeper = await run()
  const save = world.store.save.bind(world.store)
  let failures = 3
  world.store.save = (identities) =>
    failures-- > 0 ? Promise.reject(new Error('disk full')) : save(identities)
  world.cloud.clockAheadMs = 31 * DAY_MS
  keeper.hint()
  await world.time.pass(DAY_MS)
  expect(world.happened('renewal-failed')).toBe(3)
  expect(world.happened('renewed')).toBe(1)
})

describe('killed at any step, the connector comes back and rolls', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'app-proxy-roll-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const stores: Record<string, () => IdentityStore> = {
    memory: () => new MemoryIdentityStore(),
    file: () =>
      new MortalStore(
        new FileIdentityStore({ directory: join(directory, 'identity') }),
        world.time,
      ),
  }
  // A roll saves three times: the next key, the new identity beside the old, the new alone.
  const moments = [1, 2, 3].flatMap((save) =>
    (['before', 'after'] as const).map((when): Moment => ({ save, when })),
  )
  const faults = ['none', 'reply-lost'] as const

  describe.each(Object.keys(stores))('identities in %s', (kind) => {
    test.each(moments.flatMap((moment) => faults.map((fault) => ({ ...moment, fault }))))(
      '$when save $save, replies: $fault',
      async ({ save, when, fault }) => {
        const disk = stores[kind]!()
        const first = await world.within(DAY_MS, world.register(disk))
        world.cloud.clockAheadMs = 31 * DAY_MS
        const mortal = new MortalStore(disk, world.time, { save, when })
        const doomed = await world.keeper({ store: mortal })
        if (fault === 'reply-lost') {
          world.cloud.faults.push('reply-lost')
          world.cloud.faults.push('reply-lost')
        }
        void doomed.start()
        await world.time.pass(DAY_MS, () => mortal.dead)
        expect(mortal.dead).toBe(true)
        doomed.close()
        world.cloud.faults.length = 0

        // A new process: nothing survives but what is on the disk.
        const again = kind === 'file' ? stores.file!() : disk
        const keeper = await run({ store: again })
        expect(keeper.configuration).toMatchObject({ groupId: 'head-office' })
        await world.time.pass(DAY_MS)
        expect(serialOf(keeper.identity.certificate)).not.toBe(serialOf(first.certificate))
        const { current, previous, pendingKey } = await again.load()
        expect(serialOf(current!.certificate)).toBe(serialOf(keeper.identity.certificate))
        expect([previous, pendingKey]).toEqual([undefined, undefined])
        // However often it was asked.
        expect(await certificates()).toHaveLength(2)
      },
    )
  })

  test('also when the new certificate is refused after the restart', async () => {
    const disk = world.store
    const { current: first } = (await disk.load()) as { current: ConnectorIdentity }
    world.cloud.clockAheadMs = 31 * DAY_MS
    const mortal = new MortalStore(disk, world.time, { save: 2, when: 'after' })
    const doomed = await world.keeper({ store: mortal })
    void doomed.start()
    await world.time.pass(DAY_MS, () => mortal.dead)
    doomed.close()
    expect((await disk.load()).previous).toBe(first)

    const second = (await disk.load()).current!
    world.cloud.refuse = (identity) =>
      identity?.certificate === second.certificate
        ? new Refused('certificate-untrusted')
        : undefined
    const keeper = await run()
    await world.time.pass(DAY_MS)
    expect(world.happened('reverted')).toBe(1)
    expect([first.certificate, second.certificate]).not.toContain(keeper.identity.certificate)
    expect(await disk.load()).toEqual({ current: keeper.identity })
  })
})
