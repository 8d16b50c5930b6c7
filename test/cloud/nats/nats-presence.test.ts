/** Instances that know of each other, and codes that one of them takes, over NATS. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  DeploymentKeys,
  openNatsPresence,
  openNatsSpentCodes,
} from '../../../src/cloud/nats/index.ts'
import { CutLine } from '../../cut-line.ts'
import { describeWithPackages } from '../../debian-packages.ts'
import { NatsWorld } from '../../suites/nats-world.ts'
import { noticeOf, presenceSuite } from '../../suites/presence.suite.ts'
import { until } from '../../until.ts'

describeWithPackages('presence', ['nats-server'], () => {
  let world: NatsWorld
  beforeAll(async () => void (world = await NatsWorld.start()))
  afterAll(() => world.close())
  afterEach(() => world.clear())

  presenceSuite('NATS', async () => openNatsPresence(await world.instance()))

  test('one that is cut off stays known, as silent; it knows that it hears nobody; then all is well again', async () => {
    const line = await CutLine.to(world.server.port)
    const near = await openNatsPresence(await world.instance())
    const far = await openNatsPresence(await world.instance({ servers: line.address }))
    near.join(() => noticeOf('near'))
    far.join(() => noticeOf('far'))
    const seen = () =>
      [near, far].map((one) =>
        one
          .known()
          .map(({ state }) => state)
          .join(),
      )
    await until(() => seen().join() === 'serving,serving,serving,serving')
    line.cut()
    await expect.poll(seen, { timeout: 40_000 }).toEqual(['silent,serving', 'serving,unknown'])
    // One that comes meanwhile learns of it from the others.
    const late = await openNatsPresence(await world.instance())
    late.join(() => noticeOf('late'))
    const idsOf = () => late.known().map(({ instance, state }) => `${instance} ${state}`)
    await expect
      .poll(idsOf, { timeout: 40_000 })
      .toEqual(['far silent', 'late serving', 'near serving'])
    line.heal()
    const allServing = Array.from({ length: 3 }, () => 'serving').join()
    await expect.poll(seen, { timeout: 40_000 }).toEqual([allServing, allServing])
    await line.close()
  })

  test('two that have one id are told so; whoever has other keys is not heard', async () => {
    const told: string[] = []
    const onError = ({ error }: { readonly error: unknown }) => void told.push(String(error))
    const near = await openNatsPresence({ ...(await world.instance()), onError })
    near.join(() => noticeOf('near', { since: Date.now() - 60_000 }))
    const stranger = await openNatsPresence({
      ...(await world.instance()),
      deploymentKeys: new DeploymentKeys(new Uint8Array(32).fill(7)),
    })
    stranger.join(() => noticeOf('stranger'))
    await until(() => told.some((line) => line.includes('was not sealed')))
    const double = await openNatsPresence(await world.instance())
    double.join(() => noticeOf('near', { connectorUrl: 'https://double.example' }))
    await until(() => told.some((line) => line.includes('https://double.example')))
    expect(near.known()).toMatchObject([{ connectorUrl: 'https://near.example' }])
    const mistakes = told.filter((line) => line.includes('is the id of the instance'))
    expect(mistakes).toHaveLength(1)
  })

  test('of all instances one takes a code, and no code is taken that would be forgotten first', async () => {
    const [one, other] = [
      await openNatsSpentCodes(await world.instance()),
      await openNatsSpentCodes(await world.instance()),
    ]
    const id = randomUUID()
    const until = Date.now() + 60_000
    const taken = await Promise.all([one, other, one].map((codes) => codes.spend(id, until)))
    expect(taken.filter(Boolean)).toHaveLength(1)
    expect(await other.spend(id, until)).toBe(false)
    expect(await other.spend(`${id}.>`, until)).toBe(true)
    await expect(one.spend('x', Date.now() + 2 * 3_600_000)).rejects.toMatchObject({
      ...{ code: 'ERR_REFUSED', reason: 'unavailable' },
    })
  })
})
