/** Versions of the configuration, which instances share in NATS. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openNatsConfigurationStore } from '../../../src/cloud/nats/index.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { configurationStoreSuite, headOf } from '../../suites/configuration-store.suite.ts'
import { NatsWorld } from '../../suites/nats-world.ts'
import { until } from '../../until.ts'

describeWithPackages('versions that instances share', ['nats-server'], () => {
  let world: NatsWorld
  beforeAll(async () => void (world = await NatsWorld.start()))
  afterAll(() => world.close())
  afterEach(() => world.clear())
  const open = async () => openNatsConfigurationStore(await world.instance())
  configurationStoreSuite('NATS', async () => [await open(), await open()])

  test('an instance that comes later, when what was said first is removed, knows them all', async () => {
    const store = await open()
    for (let number = 1; number <= 110; number++) {
      const content = `{"secret":"planted-${number}"}`
      expect(await store.append(headOf(number, content), content)).toBe(true)
    }
    const later = await open()
    expect(await later.heads()).toEqual(await store.heads())
    expect(await later.read(61)).toBe('{"secret":"planted-61"}')
    expect(await later.append(headOf(111, '{}'), '{}')).toBe(true)
    await until(async () => (await store.heads())[0]!.number === 111)
    // Nothing of it is in clear in what the broker stores.
    const files = await readdir(world.server.folder, { recursive: true, withFileTypes: true })
    const read = files
      .filter((one) => one.isFile())
      .map((one) => readFile(join(one.parentPath, one.name)))
    const octets = Buffer.concat(await Promise.all(read))
    expect(octets.includes('ap1.l.configuration')).toBe(true)
    const secret = '{"secret":"planted-61"}'
    for (const said of ['planted', Buffer.from(secret).toString('base64url')])
      expect(octets.includes(said)).toBe(false)
  })

  test('while the broker cannot be asked versions are read, and none is added', async () => {
    const instance = await world.instance({ staleAfterMs: 500, answerMs: 300 })
    const store = await openNatsConfigurationStore(instance)
    await store.append(headOf(1, '{}'), '{}')
    world.server.pause()
    try {
      await until(() => instance.connection.state === 'stale', 30_000)
      const refused = { code: 'ERR_REFUSED', reason: 'unavailable' }
      await expect(store.append(headOf(2, '{}'), '{}')).rejects.toMatchObject(refused)
      expect(await store.read(1)).toBe('{}')
    } finally {
      world.server.resume()
    }
    await until(() => instance.connection.isFresh, 30_000)
    await until(() => store.append(headOf(2, '{}'), '{}').catch(() => false), 30_000)
    expect((await store.heads()).map(({ number }) => number)).toEqual([2, 1])
  })
})
