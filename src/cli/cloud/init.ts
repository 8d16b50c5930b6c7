/**
 * A configuration to begin with, every setting explained.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { preparePrivateDirectory, replacePrivateFile } from 'app-proxy/cloud/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { named } from '../program/mistakes.ts'
import type { Surroundings } from '../program/program.ts'
import type { CloudInitGiven } from './flags.ts'

const FILE = 'cloud.jsonc'

/** Resolves with the exit code. */
export async function initCloud(given: CloudInitGiven, { say }: Surroundings): Promise<number> {
  const { internal = 'http://127.0.0.1:8081/', json } = given
  const directory = resolve(given.dir)
  const file = join(directory, FILE)
  if (!URL.canParse(internal) || !/^https?:$/.test(new URL(internal).protocol)) {
    const value = JSON.stringify(internal)
    throw new ConfigurationInvalid([
      { path: '--internal', detail: 'must be an http or https URL', value },
    ])
  }
  await named({ path: '--dir' }, () => preparePrivateDirectory(directory))
  if (existsSync(file))
    throw new ConfigurationInvalid([
      { path: '--dir', detail: 'holds a configuration already', value: JSON.stringify(file) },
    ])
  await replacePrivateFile(file, configurationText(join(directory, 'state'), internal))
  say(json ? JSON.stringify({ file }) : nextSteps(file))
  return 0
}

function nextSteps(file: string): string {
  return [
    `wrote ${file}`,
    '',
    'next',
    `  app-proxy cloud check --config ${file}`,
    `  app-proxy cloud run --config ${file}`,
    `  app-proxy cloud ticket --config ${file} --tenant example --active --out ticket`,
    'and on the machine of the application, with the ticket and the authority that "cloud run" names',
    '  app-proxy connector run --url https://127.0.0.1:8443 --ca server-ca.pem --state-dir connector --ticket-file ticket',
  ].join('\n')
}

const configurationText = (stateDir: string, internal: string) => `{
  // Keys, certificates and what must be remembered: a directory of its own, made at first start.
  "stateDir": ${JSON.stringify(stateDir)},

  // Where users come in. For users elsewhere: "host": "0.0.0.0", and a certificate in "tls"
  // ({ "certFile": "…", "keyFile": "…" }).
  "users": { "port": 8080 },

  // Where connectors dial in, always by TLS. For connectors elsewhere: "host": "0.0.0.0", and
  // "publicUrl" as they reach it.
  "connectors": { "port": 8443 },

  // The admin API, for "app-proxy admin" on this machine: by a socket in the state directory.
  // "admin": {},

  // Whether it lives, whether it is ready, and its figures, for this machine alone: see
  // docs/metrics.md.
  // "health": { "port": 9464 },

  // One line of JSON for each event: "stderr", "stdout" or { "file": "…" }.
  "audit": { "to": "stderr" },

  // What it writes on stderr besides, and whether as "text" or as "json": see docs/operate.md.
  // "log": { "level": "info", "format": "text" },

  // Who publishes what. Read again at SIGHUP.
  "directory": {
    "tenants": [
      {
        "id": "example",
        // Your identity provider. It is not asked before somebody signs in.
        "issuer": "https://id.example.com",
        // What registrars' tokens are for.
        "registrars": { "audience": "urn:app-proxy:registration" },
        // Connectors may be registered by one-time tickets: app-proxy cloud ticket.
        "enrolmentTickets": true
      }
    ],
    "groups": [{ "id": "default", "tenantId": "example" }],
    "applications": [
      {
        "id": "app",
        "groupId": "default",
        // As users see it …
        "externalUrl": "http://app.localhost:8080/",
        // … and as the connector does.
        "internalUrl": ${JSON.stringify(internal)},
        // Open to everybody. For sign-in: "oidc", with "client" as your identity provider knows
        // this application, and "assigned" for who may use it.
        "preAuthentication": "passthrough"
      }
    ]
  }
}
`
