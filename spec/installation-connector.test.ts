import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ApplicationCache } from '../src/connector/index.ts'
import { Pkcs10CertificateRequest } from '../src/runtime/x509.ts'
import { serialOf } from '../test/connector/cloud-in-memory.ts'
import {
  enrol,
  environment,
  keeperOf,
  publishedApplication,
  worlds,
  type ControlWorld,
} from './control-worlds.ts'

describe.each(Object.entries(worlds))('installation of a connector, %s', (_, start) => {
  let world: ControlWorld
  beforeEach(async () => {
    world = await start()
  })
  afterEach(() => world.close())

  test('R0.3 the client certificate authenticates every call but the registration', async () => {
    await enrol(world)
    const keeper = await keeperOf(world)
    await keeper.start()
    keeper.close()
    const [first, ...others] = world.seen
    expect(first).toMatchObject({ path: '/registration', serial: undefined })
    expect(others.length).toBeGreaterThan(0)
    expect(others.every(({ serial }) => serial !== undefined)).toBe(true)
  })

  test('R1.1b the token an administrator acquired is presented to the cloud', async () => {
    const token = await world.cloud.token()
    await enrol(world, token)
    expect(world.cloud.registrations.map((request) => request.token)).toEqual([token])
  })

  test('R1.2b without a registrar role the registration ends there', async () => {
    const token = await world.cloud.token({ roles: ['reader'] })
    await expect(enrol(world, token)).rejects.toMatchObject({
      code: 'ERR_REFUSED',
      reason: 'token-role',
    })
    expect(world.cloud.registrations).toHaveLength(1)
    expect((await world.store.load()).current).toBeUndefined()
    await expect(keeperOf(world)).rejects.toThrow('register first')
  })

  test('R1.3a the connector makes a certificate request and passes it with the token', async () => {
    const { keys } = await enrol(world)
    const [{ request, token }] = world.cloud.registrations as [
      (typeof world.cloud.registrations)[0],
    ]
    const parsed = new Pkcs10CertificateRequest(new Uint8Array(request))
    expect(token).not.toBe('')
    expect(await parsed.verify()).toBe(true)
    expect(Buffer.from(parsed.publicKey.rawData)).toEqual(
      Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey)),
    )
  })

  test('R1.3c the signed certificate is used for all further communication', async () => {
    const identity = await enrol(world)
    world.cloud.applications.set('wiki', publishedApplication('wiki'))
    const keeper = await keeperOf(world)
    await keeper.start()
    const cache = new ApplicationCache({
      channel: world.channel,
      environment,
      identity: () => keeper.identity,
    })
    await cache.details('wiki', 'v1')
    keeper.close()
    cache.close()
    const serial = serialOf(identity.certificate)
    expect(world.seen.slice(1)).toMatchObject([
      { path: '/configuration', serial },
      { path: '/application', serial },
    ])
  })

  test('R1.4a with its new certificate the connector makes its first pull of the configuration', async () => {
    const identity = await enrol(world)
    const keeper = await keeperOf(world)
    const configuration = await keeper.start()
    keeper.close()
    expect(world.seen[1]).toMatchObject({
      path: '/configuration',
      serial: serialOf(identity.certificate),
    })
    expect(world.cloud.pulls[0]!.request.have).toBeUndefined()
    expect(configuration).toMatchObject({ groupId: 'head-office' })
  })

  test('R1.4b after that pull, and not before, it is ready: it knows whom to dial', async () => {
    await enrol(world)
    const keeper = await keeperOf(world)
    expect(keeper.configuration).toBeUndefined()
    const { instances } = await keeper.start()
    expect(keeper.configuration?.instances).toEqual(instances)
    expect(instances).toEqual({ 'cloud-1': 'https://localhost:8443' })
    keeper.close()
  })
})
