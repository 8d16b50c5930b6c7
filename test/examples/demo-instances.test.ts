/** The demo with two instances of the cloud, and the broker that they share their state and work over. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findBroker } from '../../examples/demo/instances.ts'
import { readOptions } from '../../examples/demo/options.ts'
import { cli } from '../../src/cli/cli.ts'
import { EXIT } from '../../src/cli/program/exit-codes.ts'
import { linesOf } from '../../src/cli/program/mistakes.ts'
import type { KnownInstanceView, QueueView } from '../../src/cloud/admin/index.ts'
import { describeWithPackages } from '../debian-packages.ts'
import {
  descendantsOf,
  isAlive,
  OWN_DEMO,
  startDemoOf,
  UserAgent,
  type DemoProcess,
} from './demo-process.ts'

const SOON = { timeout: 30_000, interval: 100 }

describeWithPackages('the demo with two instances', ['nats-server'], () => {
  const root = mkdtempSync(join(tmpdir(), 'app-proxy-demo-instances-'))
  const stateDir = join(root, 'state')
  let demo: DemoProcess
  beforeAll(async () => {
    const program = { ...OWN_DEMO, isGroup: true }
    demo = await startDemoOf(program, '--state-dir', stateDir, '--instances', '2')
  }, 90_000)
  afterAll(async () => {
    await demo?.stop()
    rmSync(root, { recursive: true, force: true })
  })

  async function listed<T>(what: string): Promise<readonly T[]> {
    const said: string[] = []
    const way = ['--json', '--state-dir', join(stateDir, 'cloud')]
    await cli({
      ...{ argv: ['admin', what, 'list', ...way], signal: new AbortController().signal },
      ...{ say: (line) => said.push(line), log: console.error, onReload: () => undefined },
    })
    return (JSON.parse(said[0]!) as { items: readonly T[] }).items
  }

  test('each has a link of the connector, knows the other, and would take its work', async () => {
    expect(Object.keys(demo.instances!)).toEqual(['cloud-1', 'cloud-2'])
    expect(demo.bindings).toEqual({ 'cloud-1': 'link', 'cloud-2': 'link' })
    const shown = async () =>
      (await listed<KnownInstanceView>('instances')).map(
        ({ instance, state, links }) => `${instance} ${state} ${links}`,
      )
    await expect.poll(shown, SOON).toEqual(['cloud-1 serving 1', 'cloud-2 serving 1'])
    // What the other takes is heard over the broker, and by no other way.
    const elsewhere = async () => (await listed<QueueView>('queue'))[0]!.others.grants
    await expect.poll(elsewhere, SOON).toBeGreaterThan(0)
  })

  test('one that is killed is started again, and meanwhile the other serves', async () => {
    const cloud = descendantsOf(demo.child.pid!).find(isCloud)!
    const running = () => descendantsOf(cloud.pid).filter(isCloud)
    const [, second] = running()
    process.kill(second!.pid, 'SIGKILL')
    await expect.poll(() => demo.errors, SOON).toMatch(/cloud-\d ended \(SIGKILL\)/)
    const page = demo.url('open', '/headers')
    const asked = Array.from({ length: 4 }, () => new UserAgent().get(page))
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    await expect.poll(() => running().length, SOON).toBe(2)
  })

  test('what holds secrets is for its owner alone', () => {
    for (const file of ['broker.conf', 'broker-token', 'deployment.key', 'cloud/admin-token'])
      expect(statSync(join(stateDir, file)).mode & 0o077, file).toBe(0)
  })

  test('Ctrl-C ends it in order: the instances miss no broker, and no process is left', async () => {
    const processes = descendantsOf(demo.child.pid!)
    for (const name of ['nats-server -c', 'demo/broker.ts'])
      expect(
        processes.some(({ command }) => command.includes(name)),
        name,
      ).toBe(true)
    expect(await demo.interrupt()).toBe(EXIT.good)
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([])
    expect(demo.errors).not.toMatch(/failed/)
  })
})

test('without the broker it says which package has it, and starts nothing', () => {
  const told = () => {
    try {
      return findBroker('/nowhere', [])
    } catch (error) {
      return linesOf(error, false)
    }
  }
  expect(told()).toEqual({
    code: EXIT.failed,
    lines: [
      '--instances: needs nats-server, which is not on this machine (Debian: apt install nats-server)',
    ],
  })
})

test('a number of instances that is none is refused with code 2', async () => {
  const read = readOptions({ argv: ['--instances', 'two'], say: () => undefined })
  expect(await read.catch((error: unknown) => linesOf(error, false))).toEqual({
    code: EXIT.usage,
    lines: ['--instances: must be a number from 1 to 8 (is "two")'],
  })
})

/** What starts the instances, and each of them. */
const isCloud = ({ command }: { readonly command: string }) => command.includes('cloud run')
