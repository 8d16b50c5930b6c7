/**
 * Units for systemd that run a connector or a cloud with no more than it needs: a user of its own
 * without privileges, a file system that only its state can be written in, no new privileges, no
 * devices, and the system calls of a service.
 *
 * What stays open: memory that is written and then run, without which no JavaScript engine works;
 * and connections to anywhere, since applications and issuers are anywhere. Narrow those by
 * `IPAddressAllow=` in a drop-in, where you know them.
 *
 * @module
 */

/** Options of {@link connectorUnit} and {@link cloudUnit}. */
export interface UnitOptions {
  /** Program and arguments, the program by its absolute path. Never a secret: others see them. */
  readonly command: readonly string[]
  /** Who it runs as; see {@link systemUser}. Default `app-proxy`. */
  readonly user?: string | undefined
  /**
   * Its directory below `/var/lib`, mode 0700, which systemd makes. Default `app-proxy-connector`,
   * `app-proxy-cloud`.
   */
  readonly stateName?: string | undefined
  /**
   * A file of `NAME=VALUE` lines, read if it is there: for a proxy's URL with its password, mode
   * 0600. Default: none is read.
   */
  readonly environmentFile?: string | undefined
  /** How long it may take to end. Seconds; default 60, twice the usual limit of a drain. */
  readonly stopSeconds?: number | undefined
}

/** Options of {@link cloudUnit}. */
export interface CloudUnitOptions extends UnitOptions {
  /** Whether it listens on ports below 1024. Default false. */
  readonly bindsLowPorts?: boolean | undefined
}

/** A hardened unit for a connector: `/etc/systemd/system/app-proxy-connector.service`. */
export function connectorUnit(options: UnitOptions): string {
  return unit({
    description: 'app-proxy connector: serves private web applications to a cloud that it dials',
    usualStateName: 'app-proxy-connector',
    files: 65_536,
    isPrivate: true,
    lines: [],
    ...options,
  })
}

/** A hardened unit for a cloud: `/etc/systemd/system/app-proxy-cloud.service`. */
export function cloudUnit({ bindsLowPorts = false, ...options }: CloudUnitOptions): string {
  return unit({
    description: 'app-proxy cloud: publishes private web applications to signed-in users',
    usualStateName: 'app-proxy-cloud',
    files: 524_288,
    // Capabilities of a user namespace open no port of the machine.
    isPrivate: !bindsLowPorts,
    lines: [
      'ExecReload=/bin/kill -HUP $MAINPID',
      // For an audit file: /var/log/app-proxy.
      'LogsDirectory=app-proxy',
      'LogsDirectoryMode=0700',
      ...(bindsLowPorts ? ['AmbientCapabilities=CAP_NET_BIND_SERVICE'] : []),
    ],
    capabilities: bindsLowPorts ? 'CAP_NET_BIND_SERVICE' : '',
    ...options,
  })
}

/** The line that makes the user: `/etc/sysusers.d/app-proxy.conf`, then `systemd-sysusers`. */
export function systemUser(user = 'app-proxy'): string {
  return `u ${user} - "app-proxy" - -\n`
}

interface Unit extends UnitOptions {
  readonly description: string
  readonly usualStateName: string
  readonly files: number
  readonly isPrivate: boolean
  readonly lines: readonly string[]
  readonly capabilities?: string
}

function unit(options: Unit): string {
  const { description, command, user = 'app-proxy', environmentFile } = options
  const { stateName = options.usualStateName, stopSeconds = 60 } = options
  const { files, isPrivate, capabilities = '', lines } = options
  return `${[
    '[Unit]',
    `Description=${description}`,
    'Wants=network-online.target',
    'After=network-online.target nss-lookup.target',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${command.map(quoted).join(' ')}`,
    ...lines,
    `User=${user}`,
    `StateDirectory=${stateName}`,
    'StateDirectoryMode=0700',
    ...(environmentFile === undefined ? [] : [`EnvironmentFile=-${escaped(environmentFile)}`]),
    '',
    '# A wrong use (2), a wrong setting (3) or a refusal (4) is mended by no other start.',
    'Restart=on-failure',
    'RestartSec=2',
    'RestartPreventExitStatus=2 3 4',
    '# SIGTERM finishes what is under way.',
    'KillMode=mixed',
    `TimeoutStopSec=${stopSeconds}`,
    `LimitNOFILE=${files}`,
    '',
    '# No more than it needs.',
    `CapabilityBoundingSet=${capabilities}`,
    ...HARDENING,
    `PrivateUsers=${isPrivate ? 'yes' : 'no'}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ].join('\n')}\n`
}

const HARDENING: readonly string[] = [
  'NoNewPrivileges=yes',
  'UMask=0077',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'DevicePolicy=closed',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectProc=invisible',
  'RemoveIPC=yes',
  // Names are looked up, and the machine's addresses are asked for, by the last two.
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'KeyringMode=private',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallFilter=~@privileged @resources',
  'SystemCallErrorNumber=EPERM',
]

/** An argument of a command line of systemd, which expands `%` and `$` and undoes quoting. */
function quoted(argument: string): string {
  const text = escaped(argument).replaceAll('$', '$$$$')
  if (/^[\w./:@%=,+$-]+$/.test(text)) return text
  return `"${text.replace(/["\\]/g, (octet) => `\\${octet}`)}"`
}

/** `%` begins a specifier; a line ends a setting. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%').replace(/[\r\n]/g, ' ')
}
