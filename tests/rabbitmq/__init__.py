"""RabbitMQ as the broker, with a real server: `make test-rabbitmq`. `make test` does not need one."""
