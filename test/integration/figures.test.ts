/** What each end tells Prometheus, scraped by Debian's. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLOUD_METRICS } from '../../src/cloud/cloud-figures.ts'
import type { AuditEvent } from '../../src/cloud/index.ts'
import { CloudFigures, Health, type HealthCheck } from '../../src/cloud/node/index.ts'
import { ConnectorFigures } from '../../src/connector/node/index.ts'
import { CONNECTOR_METRICS } from '../../src/connector/node/connector-figures.ts'
import { describeWithPackages } from '../debian-packages.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { listen } from './listen.ts'
import { CLI, startProcesses } from './processes.ts'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

let tunnel: Tunnel
let cloud: Health
let connector: Health
let isListening = true
/** What the application does with the next request. */
let answers = true
beforeAll(async () => {
  const [cloudFigures, connectorFigures] = [new CloudFigures(), new ConnectorFigures()]
  tunnel = await startTunnel({
    backend: (request, response) => {
      if (answers) request.resume().on('end', () => response.end('inside'))
      else request.socket.destroy()
    },
    observer: cloudFigures.observer,
    connector: { observer: connectorFigures.observer },
  })
  for (const event of tunnel.audit.events) cloudFigures.audit.write(event as AuditEvent)
  const options = { isListening: () => isListening, version: '1.2.3' }
  cloud = new Health(cloudFigures.of(tunnel.cloud, options))
  connector = new Health(connectorFigures.of(tunnel.connector, { version: '1.2.3' }))
})
afterAll(async () => {
  await tunnel.close()
})

async function ask(port = tunnel.port): Promise<number> {
  const call = get(`http://127.0.0.1:${port}/`, {
    headers: { host: 'open.localhost' },
    agent: false,
  })
  const [response] = await once(call, 'response')
  await text(response)
  return response.statusCode as number
}

/** The value of a sample. */
function value(health: Health, sample: string): number | undefined {
  const lines = health.answer('GET', '/metrics').body.split('\n')
  const found = lines.find((line) => line.startsWith(`${sample} `))
  return found === undefined ? undefined : Number(found.slice(sample.length + 1))
}

describe('figures', () => {
  test('count what became of requests at both ends, and how long they took', async () => {
    for (let i = 0; i < 3; i++) expect(await ask()).toBe(200)
    answers = false
    expect(await ask()).toBe(502)
    answers = true
    const of = 'tenant="contoso",application="open"'
    await until(() => value(cloud, `app_proxy_cloud_exchanges_total{${of},outcome="failed"}`) === 1)
    expect(value(cloud, `app_proxy_cloud_exchanges_total{${of},outcome="done"}`)).toBe(3)
    expect(value(cloud, `app_proxy_cloud_offers_total{${of}}`)).toBe(4)
    expect(value(cloud, 'app_proxy_cloud_failures_total{reason="application-aborted"}')).toBe(1)
    expect(value(cloud, 'app_proxy_cloud_wait_seconds_count')).toBe(4)
    expect(value(cloud, 'app_proxy_cloud_answer_seconds_count')).toBe(3)
    expect(value(cloud, 'app_proxy_cloud_answer_seconds_bucket{le="+Inf"}')).toBe(3)
    const group = 'tenant="contoso",group="default"'
    expect(value(cloud, `app_proxy_cloud_group_links{${group}}`)).toBe(1)
    expect(value(cloud, `app_proxy_cloud_group_grants{${group}}`)).toBeGreaterThan(0)
    expect(value(cloud, 'app_proxy_cloud_ready')).toBe(1)

    const done = 'app_proxy_connector_exchanges_total{application="open",outcome="done"}'
    await until(() => value(connector, done) === 3)
    expect(value(connector, 'app_proxy_connector_answer_seconds_count')).toBe(3)
    expect(value(connector, 'app_proxy_connector_link_up{instance="cloud-1"}')).toBe(1)
    const ends = value(connector, 'app_proxy_connector_certificate_expiry_seconds')!
    expect(ends * 1_000).toBeGreaterThan(Date.now())
  })

  test('count audit events by type and outcome', () => {
    const registered =
      'app_proxy_cloud_audit_events_total{type="connector.registration",outcome="success"}'
    expect(value(cloud, registered)).toBe(1)
  })

  test.each([
    ['cloud', CLOUD_METRICS, () => cloud],
    ['connector', CONNECTOR_METRICS, () => connector],
  ] as const)('of a %s are all in its table, and no series is there twice', (_, table, health) => {
    const lines = health().answer('GET', '/metrics').body.trimEnd().split('\n')
    const samples = lines.filter((line) => !line.startsWith('#'))
    const series = samples.map((line) => line.slice(0, line.lastIndexOf(' ')))
    expect(new Set(series).size).toBe(series.length)
    const named = series.map((one) => one.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''))
    const unknown = named.filter((name) => !Object.keys(table).includes(name))
    expect(unknown).toEqual([])
  })
})

describe('health', () => {
  test('says that it lives, what it is not ready for, and nothing else', () => {
    expect(cloud.answer('GET', '/livez')).toMatchObject({ status: 200, body: 'ok\n' })
    expect(cloud.answer('HEAD', '/readyz')).toMatchObject({ status: 200, body: '' })
    expect(cloud.answer('GET', '/readyz?verbose')).toMatchObject({
      status: 200,
      body: 'ok\nlisteners: good\ngroup contoso/default: good\n',
    })
    expect(cloud.answer('POST', '/readyz').status).toBe(405)
    for (const path of ['/', '/__proto__', '/toString', '//livez', '/livez/'])
      expect(cloud.answer('GET', path).status).toBe(404)
    isListening = false
    expect(cloud.answer('GET', '/readyz')).toMatchObject({
      status: 503,
      body: 'not ready\nlisteners: not open\n',
    })
    isListening = true
  })

  test('counts on what is required, on one of those of which any will do, and not on what is told', () => {
    const of = (need: HealthCheck['need'], isGood: boolean): HealthCheck => ({
      ...{ name: `${need} ${isGood}`, isGood, need },
    })
    const judged = (...checks: readonly HealthCheck[]) => {
      const health = new Health({ checks: () => checks, figures: () => '' })
      const [ready, all] = ['/readyz', '/readyz?all'].map((path) => health.answer('GET', path))
      return [ready!.status, all!.status, health.unready().length]
    }
    expect(judged()).toEqual([200, 200, 0])
    expect(judged(of('told', false))).toEqual([200, 503, 0])
    expect(judged(of('any', false), of('any', true))).toEqual([200, 503, 0])
    expect(judged(of('any', false), of('any', false))).toEqual([503, 503, 2])
    expect(judged(of('any', true), of('required', false))).toEqual([503, 503, 1])
    expect(judged({ name: 'usual', isGood: false })).toEqual([503, 503, 1])
    const many = Array.from({ length: 5_000 }, () => of('told', false))
    const { body } = new Health({ checks: () => many, figures: () => '' }).answer('GET', '/readyz')
    expect(body.trimEnd().split('\n')).toHaveLength(102)
    expect(body).toMatch(/^ok\n[^]*\nand 4900 more\n$/)
  })

  test('is there where what is read fails', () => {
    const broken = new Health({
      checks: () => expect.fail('a secret'),
      figures: () => expect.fail('a secret'),
    })
    expect(broken.answer('GET', '/livez').status).toBe(200)
    expect(broken.answer('GET', '/readyz').status).toBe(503)
    expect(broken.answer('GET', '/metrics')).toMatchObject({
      status: 500,
      body: expect.not.stringContaining('secret') as string,
    })
  })
})

/** Of promtool: what it says, where it says no. */
async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = execFile('promtool', [...args])
  child.stdin!.end(input)
  const said = Promise.all([text(child.stdout!), text(child.stderr!)])
  const [code] = (await once(child, 'close')) as [number]
  return code === 0 ? '' : (await said).join('')
}

describeWithPackages('Prometheus', ['prometheus'], () => {
  test('finds the figures of both ends in order', async () => {
    for (const health of [cloud, connector])
      expect(await promtool(['check', 'metrics'], health.answer('GET', '/metrics').body)).toBe('')
  })

  test('scrapes the programs of both ends, and takes the alerts of the docs', async () => {
    const application = createServer((_, response) => response.end('inside'))
    const processes = await startProcesses({
      internalUrl: `http://127.0.0.1:${await listen(application)}/`,
      health: {},
    })
    const running = await processes.startConnector(CLI, '--health-port', '0')
    const ports = [processes.cloud, running].map(({ ready }) => new URL(ready.healthUrl!).port)
    for (let i = 0; i < 3; i++) expect(await ask(processes.port)).toBe(200)
    const guide = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
    const [, rules] = /```yaml\n([^]*?)```/.exec(guide)!
    const prometheus = await ServedProcess.inFolder('prometheus')
    try {
      await writeFile(join(prometheus.folder, 'rules.yaml'), rules!)
      expect(await promtool(['check', 'rules', join(prometheus.folder, 'rules.yaml')])).toBe('')
      const targets = ports.map((port) => `'127.0.0.1:${port}'`).join(', ')
      await writeFile(
        join(prometheus.folder, 'prometheus.yml'),
        `global: { scrape_interval: 1s, scrape_timeout: 1s }\nrule_files: [rules.yaml]\nscrape_configs:\n  - job_name: app-proxy\n    static_configs: [{ targets: [${targets}] }]\n`,
      )
      const at = `127.0.0.1:${await freePort()}`
      await prometheus.start(
        'prometheus',
        ['--config.file=prometheus.yml', '--storage.tsdb.path=data', `--web.listen-address=${at}`],
        `http://${at}/-/ready`,
      )
      const query = async (expression: string) => {
        const answer = await fetch(
          `http://${at}/api/v1/query?query=${encodeURIComponent(expression)}`,
        )
        const { data } = (await answer.json()) as {
          data: { result: { value: [number, string] }[] }
        }
        return data.result.map((one) => one.value[1])
      }
      await until(async () => (await query('up == 1')).length === 2, 30_000)
      expect(await query('app_proxy_cloud_ready')).toEqual(['1'])
      expect(await query('app_proxy_connector_ready')).toEqual(['1'])
      expect(await query('app_proxy_cloud_exchanges_total{outcome="done"}')).toEqual(['3'])
    } finally {
      await prometheus.stop()
      await processes.close()
      application.close()
    }
  })
})

// The last: the connector ends.
describe('a group', () => {
  test('that no connector serves makes the cloud unready, and a drain is told first', async () => {
    connector.drain()
    expect(connector.answer('GET', '/readyz')).toMatchObject({
      status: 503,
      body: 'not ready\ndraining\n',
    })
    expect(value(connector, 'app_proxy_connector_ready')).toBe(0)
    await tunnel.connector.stop()
    await until(() => cloud.unready().length > 0)
    expect(cloud.answer('GET', '/readyz').body).toContain('group contoso/default: no connector')
    expect(value(cloud, 'app_proxy_cloud_ready')).toBe(0)
  })
})
