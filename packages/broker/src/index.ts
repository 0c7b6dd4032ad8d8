export { Broker, type BrokerOptions } from './broker.ts'
export { BrokerConfig, type ConfigTexts } from './config/broker-config.ts'
export { ConfigError } from './config/config-error.ts'
export {
  parseOverride,
  parseProperties,
  propertiesOf,
  type Properties,
  type Property,
  type PropertyInput,
} from './config/properties.ts'
export type { BoundListener } from './server/socket-server.ts'
