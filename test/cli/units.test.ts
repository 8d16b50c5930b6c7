import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloudUnit, connectorUnit, systemUser } from '../../src/cli/program/units.ts'
import { describeWithPackages } from '../debian-packages.ts'

const run = promisify(execFile)
const command = [process.execPath, '/opt/app-proxy/dist/cli/main.js', 'connector', 'run']
const UNITS = {
  connector: connectorUnit({ command, environmentFile: '/etc/app-proxy/connector.env' }),
  cloud: cloudUnit({ command }),
  'cloud-on-443': cloudUnit({ command, bindsLowPorts: true, user: 'gateway' }),
}

/** A setting's values, in order. */
const settings = (unit: string, name: string) =>
  unit
    .split('\n')
    .flatMap((line) => (line.startsWith(`${name}=`) ? line.slice(name.length + 1) : []))

describe('units', () => {
  test.each(Object.entries(UNITS))('%s says what it runs, as whom, and where', (name, unit) => {
    expect(settings(unit, 'ExecStart')).toEqual([command.join(' ')])
    expect(settings(unit, 'User')).toEqual([name === 'cloud-on-443' ? 'gateway' : 'app-proxy'])
    expect(settings(unit, 'StateDirectory')).toEqual([
      name === 'connector' ? 'app-proxy-connector' : 'app-proxy-cloud',
    ])
    expect(settings(unit, 'StateDirectoryMode')).toEqual(['0700'])
    expect(settings(unit, 'RestartPreventExitStatus')).toEqual(['2 3 4'])
  })

  test('only a cloud on a low port has a capability, and it is that one', () => {
    expect(settings(UNITS.cloud, 'CapabilityBoundingSet')).toEqual([''])
    expect(settings(UNITS.connector, 'AmbientCapabilities')).toEqual([])
    expect(settings(UNITS['cloud-on-443'], 'AmbientCapabilities')).toEqual(['CAP_NET_BIND_SERVICE'])
  })

  test('only a cloud reads its settings again', () => {
    expect(settings(UNITS.cloud, 'ExecReload')).toEqual(['/bin/kill -HUP $MAINPID'])
    expect(settings(UNITS.connector, 'ExecReload')).toEqual([])
  })

  test('arguments come as they are: nothing in them is expanded, quoted away or a setting', () => {
    const odd = ['/opt/app proxy/node', '100%', '$HOME', 'say "hi"', 'a\\b', 'x\nUser=root', '']
    const unit = connectorUnit({ command: odd })
    expect(settings(unit, 'ExecStart')).toEqual([
      String.raw`"/opt/app proxy/node" 100%% $$HOME "say \"hi\"" "a\\b" "x User=root" ""`,
    ])
    expect(settings(unit, 'User')).toEqual(['app-proxy'])
  })

  test('what is not given is as if it were left out', () => {
    expect(connectorUnit({ command, user: undefined, stateName: undefined })).toBe(
      connectorUnit({ command }),
    )
  })

  test('their user has neither a home nor a shell', () =>
    expect(systemUser()).toBe('u app-proxy - "app-proxy" - -\n'))
})

describeWithPackages('systemd', ['systemd'], () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each(Object.entries(UNITS))('takes the unit of a %s as it is meant', async (name, unit) => {
    const file = join(folder, `app-proxy-${name}.service`)
    await writeFile(file, unit.replace('/opt/app-proxy/dist/cli/main.js', '/dev/null'))
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', file])
    // The machine that tests may lack units that every machine with a running systemd has.
    expect(stderr.split('\n').filter((line) => line.includes('app-proxy'))).toEqual([])
  })

  test.each(Object.entries(UNITS))('finds a %s hardened', async (name, unit) => {
    const file = join(folder, `app-proxy-${name}.service`)
    await writeFile(file, unit)
    const { stdout } = await run('systemd-analyze', [
      'security',
      '--offline=yes',
      '--no-pager',
      file,
    ])
    const exposure = Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(stdout)?.[1])
    expect(exposure).toBeGreaterThan(0)
    expect(exposure).toBeLessThan(2.5)
  })
})
