/**
 * What the package exports, as `dist/` declares it: one report for each subpath, and what is wrong
 * with the surface as a whole.
 *
 * @module
 */
import {
  CompilerState,
  ConsoleMessageId,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from '@microsoft/api-extractor'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import manifest from '../package.json' with { type: 'json' }

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The report of one subpath. */
export interface ApiReport {
  /** `cloud/node`, for example. */
  readonly subpath: string
  /** Where it is checked in, from the root. */
  readonly path: string
  readonly content: string
  /** Names that its declarations mention and that it does not export. */
  readonly forgotten: readonly string[]
  /** Whatever else is told of its declarations. */
  readonly faults: readonly string[]
}

/** All of them: `.` is the same as `./protocol`. */
export const SUBPATHS = Object.keys(manifest.exports)
  .filter((path) => path !== '.' && !path.endsWith('.json'))
  .map((path) => path.slice('./'.length))

/** Reads the declarations in `dist/`: `npm run build` first. */
export async function apiReports(): Promise<readonly ApiReport[]> {
  const folder = await mkdtemp(join(tmpdir(), 'app-proxy-api-'))
  try {
    const configurations = SUBPATHS.map((subpath) => configuration(subpath, folder))
    const [first, ...others] = configurations
    const compilerState = CompilerState.create(first!, {
      additionalEntryPoints: others.map((other) => other.mainEntryPointFilePath),
    })
    const reports: ApiReport[] = []
    for (const [i, subpath] of SUBPATHS.entries()) {
      const messages: ExtractorMessage[] = []
      Extractor.invoke(configurations[i]!, {
        compilerState,
        localBuild: true,
        messageCallback: (message) => collect(message, messages),
      })
      const content = shortened(await readFile(join(folder, fileName(subpath)), 'utf8'))
      reports.push({ subpath, path: `api/${fileName(subpath)}`, content, ...told(messages) })
    }
    return reports
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Without what is the same for every name, and in the indentation of the sources. */
function shortened(report: string): string {
  return report
    .replace(/^\/\/ @public\n/gm, '')
    .replace(/^(?: {4})+/gm, (spaces) => ' '.repeat(spaces.length / 2))
}

const fileName = (subpath: string) => `${subpath.replaceAll('/', '-')}.api.md`
const entryPoint = (subpath: string) => join(ROOT, 'dist', subpath, 'index.d.ts')

function configuration(subpath: string, folder: string): ExtractorConfig {
  const silent = { logLevel: ExtractorLogLevel.None }
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath: entryPoint(subpath),
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            ...{ target: 'ES2023', module: 'NodeNext', lib: ['ES2023', 'DOM', 'DOM.Iterable'] },
            ...{ types: ['node'], strict: true, skipLibCheck: true },
          },
          files: SUBPATHS.map(entryPoint),
        },
        skipLibCheck: true,
      },
      apiReport: {
        enabled: true,
        reportFileName: fileName(subpath),
        reportFolder: folder,
        reportTempFolder: join(folder, 'temporary'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Warning },
          // Everything that is exported is for users: what is not, is not exported.
          'ae-missing-release-tag': silent,
          // The comments are written for people and editors, not in TSDoc.
          'ae-unresolved-link': silent,
          'ae-undocumented': silent,
        },
        tsdocMessageReporting: { default: silent },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(ROOT, 'package.json'),
  })
}

function collect(message: ExtractorMessage, into: ExtractorMessage[]): void {
  message.handled = true
  const isAboutReport =
    message.messageId === ConsoleMessageId.ApiReportCreated ||
    message.messageId === ConsoleMessageId.Preamble
  if (!isAboutReport && message.logLevel !== ExtractorLogLevel.Verbose) into.push(message)
}

function told(messages: readonly ExtractorMessage[]): Pick<ApiReport, 'forgotten' | 'faults'> {
  const forgotten = new Set<string>()
  const faults = new Set<string>()
  for (const { messageId, text, logLevel } of messages) {
    if (logLevel === ExtractorLogLevel.None) continue
    const name = messageId === 'ae-forgotten-export' && /^The symbol "([^"]+)"/.exec(text)?.[1]
    if (name) forgotten.add(name)
    else faults.add(`${messageId}: ${text}`)
  }
  return { forgotten: [...forgotten].sort(), faults: [...faults] }
}
