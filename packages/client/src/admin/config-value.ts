/** Values of configs as people write them. Brokers know texts only. */

export type ConfigValue = string | number | bigint | boolean | readonly string[]

export function configValue(value: ConfigValue): string {
  return typeof value === 'object' ? value.join(',') : String(value)
}
