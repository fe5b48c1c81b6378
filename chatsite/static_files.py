"""Static files in production: compressed, and named by their content so that browsers keep them."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Names the modules that scripts import by their content too."""

    support_js_module_import_aggregation = True
