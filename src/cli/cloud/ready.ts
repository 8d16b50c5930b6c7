/**
 * What `app-proxy cloud run` says when it is ready.
 */

/** One line of JSON, with `--json`. */
export interface Ready {
  readonly usersUrl: string
  readonly connectorUrl: string
  readonly caFile: string
  readonly adminSocket?: string
  readonly adminUrl?: string
  readonly healthUrl?: string
  /** Several on this machine: id → URL for connectors. */
  readonly instances?: Readonly<Record<string, string>>
}

/** For people. */
export const readyLines = (ready: Ready) =>
  [
    'ready',
    `  users       ${ready.usersUrl}`,
    `  connectors  ${ready.connectorUrl}`,
    ...Object.entries(ready.instances ?? {}).map(([id, url]) => `  instance    ${id} at ${url}`),
    `  authority   ${ready.caFile} (for connectors: --ca)`,
    ...[ready.adminSocket ?? [], ready.adminUrl ?? []].flat().map((at) => `  admin       ${at}`),
    ...(ready.healthUrl === undefined ? [] : [`  health      ${ready.healthUrl}`]),
  ].join('\n')
