/**
 * Where our cloud and connector spend their time under load: `--cpu-prof`, summarised.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises'
import { startAppProxy, type Binding } from '../contenders/app-proxy.ts'
import { startBackend } from '../contenders/backend.ts'
import type { Workspace } from '../harness/workspace.ts'
import { load } from '../load/wrk.ts'
import type { BenchOptions } from '../options.ts'
import { table } from '../report/table.ts'
import { selfTimes, type CpuProfile } from './self-times.ts'

const SHOWN = 30

export async function profile(
  workspace: Workspace,
  options: BenchOptions,
  log: (line: string) => void,
): Promise<void> {
  const backends = await startBackend(workspace, [])
  for (const binding of ['link', 'plain'] as const) {
    try {
      await ofBinding(binding, backends, await workspace.part(), options)
    } catch (error) {
      workspace.assertOpen()
      log(`${binding}: ${error instanceof Error ? error.message : error}`)
    }
  }
}

async function ofBinding(
  binding: Binding,
  backends: { pages: number; uploads: number },
  workspace: Workspace,
  { seconds, warmUpSeconds, connections, markdown }: BenchOptions,
): Promise<void> {
  const directory = (name: string) => workspace.path(`profile-${name}`)
  const flags = (name: string) => ['--cpu-prof', `--cpu-prof-dir=${directory(name)}`]
  const sides = ['cloud', 'connector'] as const
  const { page, cloud, connector } = await startAppProxy(binding, true, backends, workspace, {
    cloud: flags('cloud'),
    connector: flags('connector'),
  })
  await load(page, { connections, seconds: warmUpSeconds }, workspace)
  const { requests } = await load(page, { connections, seconds }, workspace)
  await connector.stop()
  await cloud.stop()
  for (const side of sides) {
    const [file] = await readdir(directory(side))
    const recorded = await readFile(`${directory(side)}/${file}`, 'utf8')
    // Starting up is not what we ask about: the load was the end of it.
    const times = selfTimes(JSON.parse(recorded) as CpuProfile, seconds * 1e6)
    const busy = times.reduce((sum, { microseconds }) => sum + microseconds, 0)
    const rows = times.slice(0, SHOWN).map(({ name, place, microseconds }) => {
      return [name, place, `${((microseconds / busy) * 100).toFixed(1)} %`]
    })
    console.log(`\n${side}, ${binding} binding, signed in, ${requests} requests: self time\n`)
    const head = ['function', 'where', 'of busy time']
    console.log(table([head, ...rows], markdown ? 'markdown' : 'text'))
  }
}
