/** A connector that leaves, by the call that the plain binding has for it. */
import { expect, test } from 'vitest'
import { frames } from '../test/integration/raw-connector.ts'
import { startRawWorld } from '../test/integration/raw-world.ts'
import { until } from '../test/until.ts'

test('R3.3.5 what a connector that leaves did not claim goes to another one, what it claimed goes on', async () => {
  const world = await startRawWorld()
  const leaving = world.connect(await world.enrol())
  const staying = world.connect(await world.enrol())
  const link = await leaving.link('leaving-0')
  const users = [world.user('/claimed'), world.user('/unclaimed')]
  const offers = [await link.offer(), await link.offer()]
  const [claimed, unclaimed] = offers.sort((a, b) => a.target.localeCompare(b.target))
  const answer = leaving.answer(claimed!.id)
  answer.send(frames.claim(claimed!), frames.response(), frames.data('half'))
  const other = await staying.link('staying-0')
  expect(await leaving.call('POST', '/links/leaving-0/goodbye?epoch=1')).toMatchObject({
    status: 204,
  })
  await until(() => link.isClosed)

  const again = await other.offer()
  expect(again).toMatchObject({ id: unclaimed!.id, attempt: unclaimed!.attempt + 1 })
  // Nothing is taken twice: the first attempt is over.
  expect(await leaving.answer(unclaimed!.id).end(frames.claim(unclaimed!))).toMatchObject({
    status: 410,
  })
  await staying
    .answer(again.id)
    .end(frames.claim(again), frames.response(), frames.data('elsewhere', true))
  expect(await users[1]).toMatchObject({ status: 200, body: Buffer.from('elsewhere') })

  expect(await answer.end(frames.data(' and half', true))).toMatchObject({ status: 204 })
  expect(await users[0]).toMatchObject({ status: 200, body: Buffer.from('half and half') })
  await world.close()
})
