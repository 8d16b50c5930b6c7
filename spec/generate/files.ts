/**
 * Every generated file of the project, as it should be.
 *
 * @module
 */
import { access, readFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'
import { adminApiDocument, adminOperations } from './admin-api.ts'
import { auditEvents } from './audit.ts'
import { errorCatalogue } from './catalogue.ts'
import { commandReference, commonOptions, exitCodes } from './cli.ts'
import { configurationReference } from './configuration.ts'
import { exampleMessage } from './example-message.ts'
import * as layouts from './layouts.ts'
import { cloudLog, connectorLog } from './logs.ts'
import { machines } from './machines.ts'
import { cloudMetrics, connectorMetrics } from './metrics.ts'
import { messageReference } from './messages.ts'
import * as reference from './reference.ts'
import { requirementsDocument, requirementTests } from './requirements.ts'
import { cloudServerSchema } from './schema.ts'
import { simulationTable } from '../simulation/scenarios.ts'
import { semantics } from './semantics.ts'
import { machineReference } from './tables.ts'

const ROOT = new URL('../../', import.meta.url)

/** Path from the root → content. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>([
    ['spec/PROTOCOL.md', await withRegions('spec/PROTOCOL.md', await regions())],
    ['spec/SCALE.md', await withRegions('spec/SCALE.md', [['simulation', simulationTable()]])],
    ['docs/errors.md', await withRegions('docs/errors.md', [['errors', errorCatalogue()]])],
    [
      'docs/configuration.md',
      await withRegions('docs/configuration.md', [
        ['cloud-server', configurationReference(cloudServerSchema(), 'The file')],
      ]),
    ],
    [
      'docs/metrics.md',
      await withRegions('docs/metrics.md', [
        ['cloud-metrics', cloudMetrics()],
        ['connector-metrics', connectorMetrics()],
      ]),
    ],
    [
      'docs/operate.md',
      await withRegions('docs/operate.md', [
        ['cloud-log', cloudLog()],
        ['connector-log', connectorLog()],
      ]),
    ],
    [
      'docs/cli.md',
      await withRegions('docs/cli.md', [
        ['common-options', commonOptions()],
        ['exit-codes', exitCodes()],
        ['commands', commandReference()],
      ]),
    ],
    ['docs/admin-api.json', JSON.stringify(adminApiDocument())],
    [
      'docs/admin-api.md',
      await withRegions('docs/admin-api.md', [['admin-operations', adminOperations()]]),
    ],
    ['spec/REQUIREMENTS.md', requirementsDocument(await requirementTests())],
    ['spec/layouts.json', JSON.stringify(layouts.layouts())],
    ['docs/cloud-configuration.schema.json', JSON.stringify(cloudServerSchema())],
  ])
  for (const [path, content] of files) files.set(path, await formatted(path, content))
  for (const [name, vector] of await vectors())
    files.set(`spec/vectors/${name}`, `${JSON.stringify(vector, null, 2)}\n`)
  return files
}

/** Those of them that are not as they should be. */
export async function drifted(): Promise<readonly string[]> {
  const found: string[] = []
  for (const [path, content] of await generatedFiles())
    if ((await read(path).catch(() => undefined)) !== content) found.push(path)
  return found
}

async function regions(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['machines', machineReference(await machines())],
    ['messages', await messageReference()],
    ['frame-types', layouts.frameTypes()],
    ['frame-layouts', layouts.frameLayouts()],
    ['example-frame', layouts.exampleFrame()],
    ['example-message', exampleMessage()],
    ['decline-reasons', layouts.declineReasons()],
    ['features', layouts.features()],
    ['hello-query', layouts.helloQueryKeys()],
    ['reset-codes', await reference.resetCodes()],
    ['time-limits', await reference.timeLimits()],
    ['semantics', semantics()],
    ['size-limits', await reference.sizeLimits()],
    ['violations', await reference.violationReasons()],
    ['refusals', await reference.refusalReasons()],
    ['failures', await reference.failureReasons()],
    ['own-answers', reference.ownAnswers()],
    ['audit-events', auditEvents()],
    ['denials', reference.denialReasons()],
    ['navigation-facts', await reference.navigationFacts()],
    ['navigation', reference.navigationRules()],
  ])
}

/** Replaces what stands between `<!-- generated:NAME -->` and `<!-- /generated -->`. Every region must be used, and no other. */
async function withRegions(
  path: string,
  regions: Iterable<readonly [name: string, content: string]>,
): Promise<string> {
  const contents = new Map(regions)
  const document = await read(path)
  const used = new Set<string>()
  const result = document.replace(
    /(<!-- generated:([a-z-]+) -->)[^]*?(<!-- \/generated -->)/g,
    (_, start: string, name: string, end: string) => {
      const content = contents.get(name)
      if (content === undefined) throw new Error(`${path}: nothing generates "${name}"`)
      used.add(name)
      return `${start}\n\n${content}\n\n${end}`
    },
  )
  for (const name of contents.keys())
    if (!used.has(name)) throw new Error(`${path}: no region "${name}"`)
  return result
}

/** The test vectors, by file name. */
async function vectors(): Promise<ReadonlyMap<string, object>> {
  const file = new URL('vectors.ts', import.meta.url)
  const exists = await access(file).then(
    () => true,
    () => false,
  )
  if (!exists) return new Map()
  const generator = (await import(file.href)) as { vectors(): Map<string, object> }
  return generator.vectors()
}

async function formatted(path: string, content: string): Promise<string> {
  const { pathname } = new URL(path, ROOT)
  return format(content, { ...(await resolveConfig(pathname)), filepath: pathname })
}

function read(path: string): Promise<string> {
  return readFile(new URL(path, ROOT), 'utf8')
}
