/**
 * What every engine of presence must do: run for each by a test file of its own.
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { InstanceNotice, InstancePresence } from '../../src/cloud/index.ts'

const SOON = { timeout: 20_000, interval: 20 }

export function noticeOf(instance: string, more: Partial<InstanceNotice> = {}): InstanceNotice {
  return {
    ...{ instance, connectorUrl: `https://${instance}.example`, version: '1.2.3' },
    ...{ since: Date.now(), state: 'serving', links: 2, open: 3 },
    ...more,
  }
}

/** @param open gives each instance its own; those of one test hear each other */
export function presenceSuite(name: string, open: () => Promise<InstancePresence>): void {
  describe(name, { timeout: 60_000 }, () => {
    const leaving: (() => void)[] = []
    afterEach(() => {
      for (const leave of leaving.splice(0)) leave()
    })

    async function instance(notice: () => InstanceNotice) {
      const presence = await open()
      const leave = presence.join(notice)
      leaving.push(leave)
      return { presence, leave }
    }
    const idsOf = (presence: InstancePresence) => presence.known().map((one) => one.instance)

    test('an instance knows itself at once, and others as soon as they come', async () => {
      const near = noticeOf('near')
      const { presence } = await instance(() => near)
      expect(presence.known()).toMatchObject([near])
      const far = noticeOf('far', { state: 'draining' })
      const other = await instance(() => far)
      for (const one of [presence, other.presence])
        await expect.poll(() => one.known(), SOON).toMatchObject([far, near])
    })

    test('what it says of itself is told anew', async () => {
      const { presence } = await instance(() => noticeOf('near'))
      let links = 1
      await instance(() => noticeOf('far', { links }))
      await expect.poll(() => idsOf(presence), SOON).toEqual(['far', 'near'])
      links = 7
      await expect.poll(() => presence.known()[0], SOON).toMatchObject({ links: 7 })
    })

    test('one that leaves is there no more, and one that comes again is', async () => {
      const { presence } = await instance(() => noticeOf('near'))
      const { leave } = await instance(() => noticeOf('far'))
      await expect.poll(() => idsOf(presence), SOON).toEqual(['far', 'near'])
      leave()
      await expect.poll(() => idsOf(presence), SOON).toEqual(['near'])
      await instance(() => noticeOf('far'))
      await expect.poll(() => idsOf(presence), SOON).toEqual(['far', 'near'])
    })
  })
}
